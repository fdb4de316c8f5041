/** Makes shaders small when they are built in: no comments, no white space, short names. Sources stay as they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/** One piece of WGSL: a word, a number, or a single other character. */
const TOKEN =
  /\/\/[^\n]*|\/\*|(?<word>[A-Za-z_]\w*)|(?<number>0[xX][\da-fA-F]*\.?[\da-fA-F]*(?:[pP][+-]?\d+)?[iufh]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[iufh]?)|\s+|./gsu;

/** What the language itself names, as far as a shader could declare the same. None of it is renamed. */
const LANGUAGE = new Set(
  `alias break case const const_assert continue continuing default diagnostic discard else enable false fn for
  if let loop override requires return struct switch true var while bool f16 f32 i32 u32 array atomic ptr sampler
  vec2 vec3 vec4 vec2f vec3f vec4f vec2i vec3i vec4i vec2u vec3u vec4u vec2h vec3h vec4h mat2x2f mat3x3f mat4x4f
  bitcast all any select arrayLength abs acos acosh asin asinh atan atanh atan2 ceil clamp cos cosh
  countLeadingZeros countOneBits countTrailingZeros cross degrees determinant distance dot exp exp2 extractBits
  faceForward firstLeadingBit firstTrailingBit floor fma fract frexp insertBits inverseSqrt ldexp length log log2
  max min mix modf normalize pow quantizeToF16 radians reflect refract reverseBits round saturate sign sin sinh
  smoothstep sqrt step tan tanh transpose trunc atomicLoad atomicStore atomicAdd atomicSub atomicMax atomicMin
  atomicAnd atomicOr atomicXor atomicExchange atomicCompareExchangeWeak pack4x8snorm unpack4x8snorm
  pack2x16float unpack2x16float storageBarrier workgroupBarrier workgroupUniformLoad subgroupAdd subgroupMax
  subgroupMin subgroupBroadcast subgroupBroadcastFirst subgroupShuffle subgroupShuffleXor dot4U8Packed main
  read write read_write storage uniform workgroup function private handle`.split(/\s+/),
);

/** Words that a name follows which they declare; others are declared with their type behind a colon. */
const DECLARES = new Set(['alias', 'const', 'fn', 'let', 'override', 'struct', 'var']);

/** Words that may follow a dot and mean components of a vector. */
const COMPONENTS = /^(?:[xyzw]{1,4}|[rgba]{1,4})$/;

/** The pieces of a text, without comments and white space; `spaced` tells whether some stood before one. */
function* tokensOf(
  code: string,
): Generator<{ text: string; kind: 'word' | 'number' | 'sign'; spaced: boolean }> {
  let spaced = false;
  let depth = 0;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < code.length;) {
    if (depth > 0) {
      // Block comments nest.
      const edge = /\/\*|\*\//g;
      edge.lastIndex = at;
      const match = edge.exec(code);
      if (!match) return;
      depth += match[0] === '/*' ? 1 : -1;
      at = edge.lastIndex;
      spaced = true;
      continue;
    }
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(code)!;
    at = TOKEN.lastIndex;
    const [text] = match;
    const { word, number } = match.groups as { word?: string; number?: string };
    if (text === '/*') depth = 1;
    if (depth > 0 || text.startsWith('//') || /^\s/.test(text)) {
      spaced = true;
      continue;
    }
    yield { text, kind: word !== undefined ? 'word' : number !== undefined ? 'number' : 'sign', spaced };
    spaced = false;
  }
}

/**
 * Short names for what shaders declare: one table for all of them, because a kernel is joined of several
 * files when it runs, and they share functions, parameters and bindings.
 */
export function createRenames(shaders: Iterable<string>): Map<string, string> {
  const counts = new Map<string, number>();
  const declared = new Set<string>();
  for (const code of shaders) {
    let [before, last] = ['', ''];
    for (const { text, kind } of tokensOf(code)) {
      if (kind === 'word') counts.set(text, (counts.get(text) ?? 0) + 1);
      if (text === ':' || DECLARES.has(before)) declared.add(last);
      [before, last] = [last, text];
    }
  }
  const long = [...declared]
    .filter((word) => /^[A-Za-z_]\w{2,}$/.test(word) && !LANGUAGE.has(word) && !COMPONENTS.test(word))
    .sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
  const taken = new Set([...LANGUAGE, ...counts.keys()]);
  const free = names(taken);
  return new Map(long.map((word) => [word, free.next().value]));
}

/** Names of one letter, then of a letter and capitals or digits, of which the language reserves none. */
function* names(taken: ReadonlySet<string>): Generator<string, never> {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  for (let stems = [''], next = letters; ; next = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789') {
    stems = stems.flatMap((stem) => Array.from(next, (letter) => stem + letter));
    for (const name of stems) if (!taken.has(name) && !COMPONENTS.test(name)) yield name;
  }
}

/** The same shader, as short as it gets. */
export function minifyWgsl(code: string, renames: ReadonlyMap<string, string>): string {
  let result = '';
  let last = '';
  // Inside `@builtin(…)` and `var<…>` names are the language's.
  let foreign = '';
  for (const { text, kind, spaced } of tokensOf(code)) {
    let short = text;
    if (kind === 'word' && foreign === '') short = last === '@' ? text : (renames.get(text) ?? text);
    if (kind === 'number') short = text.replace(/^(\d+\.)0+$/, '$1');
    const glued = kind !== 'sign' && /[\w.]$/.test(result) && last !== '.';
    if (glued || (spaced && joins(last, text))) result += ' ';
    result += short;
    if (foreign === '' && ((last === 'builtin' && text === '(') || (last === 'var' && text === '<'))) {
      foreign = text === '(' ? ')' : '>';
    } else if (text === foreign) foreign = '';
    last = text;
  }
  return result;
}

/** Whether two signs mean something else when nothing stands between them. */
function joins(first: string, second: string): boolean {
  if (!/^[+\-*/%&|^!=<>]$/.test(first)) return false;
  return first === second || second === '=' || (first === '-' && second === '>') || first + second === '/*';
}

/** The table over all shaders of the project. */
export function projectRenames(): Map<string, string> {
  const folder = fileURLToPath(new URL('../shaders/', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const shaders = files.filter((file) => file.endsWith('.wgsl')).sort();
  return createRenames(shaders.map((file) => readFileSync(folder + file, 'utf8')));
}

/** Vite plugin: `*.wgsl?raw` made small, in builds only. */
export function minifyShaders(): Plugin {
  let renames: Map<string, string>;
  return {
    name: 'minify-wgsl',
    apply: 'build',
    enforce: 'pre',
    buildStart() {
      renames = projectRenames();
    },
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      async handler(id) {
        const file = id.slice(0, -'?raw'.length);
        this.addWatchFile(file);
        return `export default ${JSON.stringify(minifyWgsl(await readFile(file, 'utf8'), renames))};`;
      },
    },
  };
}
