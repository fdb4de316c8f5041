/**
 * Builds the library into `dist/`: a module for each module of `src/`, so that bundlers take what an application
 * needs and split off what it needs later. `--mode index` and `--mode inference` make one minified file of an
 * entry and all behind it, for pages without a bundler.
 */
import { defineConfig, type Plugin } from 'vite';
import { minifyShaders } from './scripts/minify-wgsl.js';

/** The files for pages, by entry. */
const FILES: Readonly<Record<string, string>> = { index: 'webgpu-rnn.min', inference: 'inference.min' };

/** Makes what is imported later be imported at once: left to itself, one file would wrap modules in functions. */
function importAtOnce(): Plugin {
  return {
    name: 'import-at-once',
    transform(code, id) {
      if (!/\/src\/.*\.ts$/.test(id)) return;
      const imports: string[] = [];
      const changed = code.replaceAll(/\bimport\((['"][^'"]+['"])\)/g, (_, source: string) => {
        imports.push(`import * as later${imports.length} from ${source};`);
        return `Promise.resolve(later${imports.length - 1})`;
      });
      return imports.length > 0 ? { code: `${imports.join(' ')}${changed}`, map: null } : undefined;
    },
  };
}

export default defineConfig(({ mode }) => {
  const file = FILES[mode];
  const entry: Record<string, string> = file
    ? { [file]: `src/${mode}.ts` }
    : { index: 'src/index.ts', inference: 'src/inference.ts' };
  return {
    plugins: [minifyShaders(), ...(file ? [importAtOnce()] : [])],
    publicDir: false,
    build: {
      outDir: 'dist',
      emptyOutDir: !file,
      target: 'es2022',
      sourcemap: true,
      modulePreload: false,
      minify: file !== undefined,
      lib: { entry, formats: ['es'] },
      rolldownOptions: {
        // Vite leaves the white space of libraries.
        output: file ? { minify: true } : { preserveModules: true, preserveModulesRoot: 'src' },
      },
    },
  };
});
