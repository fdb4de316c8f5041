/** A corpus that is always at hand: the library's own source code. */

const files = import.meta.glob<string>('../../src/**/*.ts', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** All source files, one after another. */
export const librarySource = Object.keys(files)
  .sort()
  .map((path) => files[path])
  .join('\n');
