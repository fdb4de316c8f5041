/** Builds the library: an ES module an entry, with the shaders inside, into `dist/`. `--mode inference` builds the small one. */
import { defineConfig } from 'vite';
import { minifyShaders } from './scripts/minify-wgsl.js';

export default defineConfig(({ mode }) => {
  // Each alone, so that neither is split into chunks.
  const name = mode === 'inference' ? 'inference' : 'index';
  return {
    plugins: [minifyShaders()],
    publicDir: false,
    build: {
      outDir: 'dist',
      emptyOutDir: name === 'index',
      target: 'es2022',
      sourcemap: true,
      minify: false,
      lib: { entry: { [name]: `src/${name}.ts` }, formats: ['es'] },
    },
  };
});
