/** Serves and builds the demo page: static files that work from any folder, into `site/`. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { stripWgsl } from './scripts/strip-wgsl.js';

const project = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  root: `${project}demo`,
  base: './',
  plugins: [stripWgsl()],
  worker: { format: 'es', plugins: () => [stripWgsl()] },
  server: { fs: { allow: [project] } },
  build: { outDir: `${project}site`, emptyOutDir: true, target: 'es2022' },
});
