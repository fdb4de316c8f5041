/** Who may import whom. `test/lint/imports.test.ts` proves that each rule fires. */

/** Rooms of `src/`, and the rooms each may import besides itself. */
const ROOMS = {
  graph: [],
  ops: ['graph'],
  cpu: ['ops', 'graph'],
  gpu: ['ops', 'graph'],
  nn: ['ops', 'graph'],
  optim: ['ops', 'graph'],
  io: ['nn', 'optim', 'ops', 'graph'],
  train: ['io', 'nn', 'optim', 'ops', 'graph'],
  text: ['train', 'io', 'nn', 'optim', 'ops', 'graph'],
};

/** The public surface. */
const PUBLIC = '^src/(index|inference)\\.ts$';
/** Files that join executors with the rest. */
const ENTRIES = '^src/(index|inference|create-executor|self-test)\\.ts$';

const anyRoom = Object.keys(ROOMS).join('|');

const rooms = Object.entries(ROOMS).map(([room, others]) => ({
  name: `${room}-imports`,
  comment: `src/${room} may import ${others.length > 0 ? others.join(', ') : 'no other room'} and nothing else of src/`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [`^src/(${[room, ...others].join('|')})/`, PUBLIC] },
}));

module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'unknown-room',
      comment: 'every file of src/ is in a known room or is an entry; a new room is added to this list first',
      severity: 'error',
      from: { path: '^src/', pathNot: [`^src/(${anyRoom})/`, ENTRIES] },
      to: {},
    },
    {
      name: 'unknown-room-imported',
      comment: 'every file of src/ is in a known room or is an entry',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: [`^src/(${anyRoom})/`, ENTRIES] },
    },
    {
      name: 'unknown-room-alone',
      comment: 'every file of src/ is in a known room or is an entry',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: [`^src/(${anyRoom})/`, ENTRIES] },
      to: {},
    },
    {
      name: 'nothing-imports-the-entry',
      comment:
        'the public surface is for users, the demo and tests; src/ imports what it needs where it lives',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: PUBLIC },
    },
    {
      name: 'shaders-belong-to-gpu',
      comment: 'only src/gpu imports WGSL',
      severity: 'error',
      from: { pathNot: '^src/gpu/' },
      to: { path: '[.]wgsl' },
    },
    {
      name: 'library-stands-alone',
      comment: 'src/ imports nothing from outside itself but shaders: no package, no Node module',
      severity: 'error',
      from: { path: '^src/' },
      to: { pathNot: ['^src/', '[.]wgsl'] },
    },
    {
      name: 'demo-uses-the-public-api',
      comment: 'the demo sees the library as a user does',
      severity: 'error',
      from: { path: '^demo/' },
      to: { path: '^(src|test|shaders)/', pathNot: PUBLIC },
    },
    {
      name: 'demo-page-stands-alone',
      comment: 'only the headless runner of the demo, which runs in Node, may use scripts',
      severity: 'error',
      from: { path: '^demo/', pathNot: '^demo/headless/' },
      to: { path: '^scripts/' },
    },
    {
      name: 'no-cycles',
      comment: 'modules do not import each other in a circle; types may',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'unresolvable',
      comment: 'every import leads to a file',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // They import the built package, as its users do.
    exclude: { path: '^(test/package/train[.]mjs|demo/embed/)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.mjs', '.js', '.cjs', '.json', '.wgsl'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
