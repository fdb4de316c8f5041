/** Builds the library: one ES module with the shaders inside, into `dist/`. */
import { defineConfig } from 'vite';
import { stripWgsl } from './scripts/strip-wgsl.js';

export default defineConfig({
  plugins: [stripWgsl()],
  publicDir: false,
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: true,
    minify: false,
    lib: { entry: { index: 'src/index.ts' }, formats: ['es'] },
  },
});
