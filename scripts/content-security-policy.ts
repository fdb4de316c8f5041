/** A Vite plugin that states the demo's Content-Security-Policy in every page it builds. */
import type { Plugin } from 'vite';

/**
 * Scripts, styles and workers of the site itself; texts from anywhere by https; pictures made on the spot.
 * A page's own policy does not bind its worker: a host that sends this as a header binds both.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  // WebAssembly: products on the CPU.
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "worker-src 'self'",
  "connect-src 'self' https:",
  "img-src 'self' blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Acts on builds only: the development server needs inline styles. */
export function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}
