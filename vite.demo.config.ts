/** Serves and builds the demo's pages: static files that work from any folder, into `site/`. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { contentSecurityPolicy } from './scripts/content-security-policy.js';
import { minifyShaders } from './scripts/minify-wgsl.js';

const project = fileURLToPath(new URL('.', import.meta.url));

/** Each is a file in `demo/`; the menu is in `demo/frame/site-header.ts`. */
const PAGES = ['index', 'forecast', 'gestures'];

export default defineConfig({
  root: `${project}demo`,
  base: './',
  plugins: [minifyShaders(), contentSecurityPolicy()],
  worker: { format: 'es', plugins: () => [minifyShaders()] },
  server: { fs: { allow: [project] } },
  build: {
    outDir: `${project}site`,
    emptyOutDir: true,
    target: 'es2022',
    rolldownOptions: { input: PAGES.map((page) => `${project}demo/${page}.html`) },
  },
});
