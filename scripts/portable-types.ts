/** Makes the built type declarations valid for users without WebGPU's types, and for those with older libraries. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** What users import. */
const ENTRIES = ['index.d.ts', 'inference.d.ts'];

/**
 * Changes declaration files so that they need nothing of the user's `types` and `lib` settings: each
 * name of WebGPU becomes an alias of the user's own type where there is one, `Symbol.dispose` is declared,
 * and views of buffers are not generic.
 */
export function makePortable(file: string, text: string): string {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*/g, '');
  // A name before a colon is a property's, not a type's.
  const names = [...new Set(code.match(/\bGPU(?:[A-Z]\w*)?\b(?!\s*:)/g))].sort();
  const aliases = names.map(
    (name) => `type ${name} = typeof globalThis extends { ${name}: { prototype: infer T } } ? T : unknown;\n`,
  );
  const reference = ENTRIES.includes(file)
    ? '/// <reference lib="esnext.disposable" preserve="true" />\n'
    : '';
  // Views have had a type parameter since TypeScript 5.7 only.
  const plain = text.replaceAll(/\b(\w+Array|DataView)<ArrayBuffer(?:Like)?>/g, '$1');
  return `${reference}${plain.trimEnd()}\n${aliases.join('')}`;
}

/** Does so for a whole folder. */
export async function makeFolderPortable(folder: string): Promise<void> {
  const paths = await readdir(folder, { recursive: true });
  for (const path of paths.filter((name) => name.endsWith('.d.ts'))) {
    const file = `${folder}/${path}`;
    await writeFile(file, makePortable(path, await readFile(file, 'utf8')));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await makeFolderPortable(fileURLToPath(new URL('../dist', import.meta.url)));
}
