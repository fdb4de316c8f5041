/** Takes the comments out of shaders when they are built in, and leaves everything else as it is. */
import { readFile } from 'node:fs/promises';
import type { Plugin } from 'vite';

/**
 * Removes the comments of a WGSL text: `//` to the end of the line, and nested block comments. Line
 * breaks stay, so a compiler's line numbers still match the file.
 */
export function stripWgslComments(code: string): string {
  let result = '';
  let depth = 0;
  for (let i = 0; i < code.length;) {
    const pair = code.slice(i, i + 2);
    if (pair === '/*') {
      // A comment separates tokens, as white space does.
      if (depth++ === 0) result += ' ';
      i += 2;
    } else if (depth > 0 && pair === '*/') {
      depth--;
      i += 2;
    } else if (depth === 0 && pair === '//') {
      while (i < code.length && code[i] !== '\n') i++;
    } else {
      if (depth === 0 || code[i] === '\n') result += code.charAt(i);
      i++;
    }
  }
  return result;
}

/** Vite plugin: `*.wgsl?raw` without comments, in builds only. */
export function stripWgsl(): Plugin {
  return {
    name: 'strip-wgsl-comments',
    apply: 'build',
    enforce: 'pre',
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      async handler(id) {
        const file = id.slice(0, -'?raw'.length);
        this.addWatchFile(file);
        return `export default ${JSON.stringify(stripWgslComments(await readFile(file, 'utf8')))};`;
      },
    },
  };
}
