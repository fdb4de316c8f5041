/** The data of the textbook programs, and the numbers made of them. */
import { Random, Variable } from '../../src/index.js';

/** Made-up names of three languages that differ in their endings: `name,language` a line. */
export const NAMES = ['Bar', 'Dol', 'Fen', 'Gam', 'Kir', 'Lun', 'Mer', 'Nad', 'Pol', 'Rin', 'Sab', 'Tor']
  .flatMap((stem) => [`${stem}ovich,eastern`, `${stem}ello,southern`, `${stem}sson,northern`])
  .join('\n');

/** Zeros with a 1 at each item's place in `all`: one row an item. */
export function oneHot(items: readonly string[], all: readonly string[]): Float32Array {
  return Float32Array.from(items.flatMap((item) => all.map((other) => (other === item ? 1 : 0))));
}

/** Normal numbers of a shape, the same for the same seed. */
export function noise(shape: readonly number[], seed: number) {
  const random = new Random(seed);
  const size = shape.reduce((product, n) => product * n, 1);
  return { shape, data: Float32Array.from({ length: size }, () => random.normal()) };
}

/** A matrix to be trained, begun with variance 1/rows. */
export function weights(name: string, shape: readonly [number, number]): Variable {
  const scale = 1 / Math.sqrt(shape[0]);
  return new Variable({ name, shape, initial: () => noise(shape, 3).data.map((value) => value * scale) });
}

const [THINGS, ADVERBS, PRAISE, BLAME] = [
  ['film', 'book', 'meal', 'play'],
  ['very', 'really', 'not', 'never'],
  ['good', 'fine', 'great'],
  ['bad', 'dull', 'awful'],
];

/** The vocabulary of the sentences. */
export const WORDS = [...THINGS, ...ADVERBS, ...PRAISE, ...BLAME];

/** Every thing with every adverb and adjective, the things of the held-out quarter last. */
export function sentences() {
  const all = THINGS.flatMap((thing) =>
    ADVERBS.flatMap((adverb) => [...PRAISE, ...BLAME].map((adjective) => [thing, adverb, adjective])),
  );
  const praise = all.map(([, adverb, adjective]) => {
    return PRAISE.includes(adjective!) !== ['not', 'never'].includes(adverb!) ? 1 : 0;
  });
  return {
    x: { shape: [all.length, 3, WORDS.length], data: oneHot(all.flat(), WORDS) },
    y: { shape: [all.length, 1], data: Float32Array.from(praise) },
  };
}

/** A rhyme to learn. */
export const RHYME = 'one two buckle my shoe\nthree four open the door\nfive six pick up sticks\n'.repeat(12);

/** Pieces of the text from anywhere, time-major, with the characters that follow. */
export function drawBatch(tokens: Int32Array, [steps, batch]: readonly [number, number], random: Random) {
  const begins = Array.from({ length: batch }, () =>
    Math.floor(random.uniform(0, tokens.length - steps - 1)),
  );
  const at = (offset: number) => ({
    shape: [steps, batch],
    data: Int32Array.from({ length: steps * batch }, (_, i) => {
      return tokens[begins[i % batch]! + Math.floor(i / batch) + offset]!;
    }),
  });
  return { x: at(0), y: at(1) };
}

/** Lines `name,language` as pairs. */
export function readSamples(text: string): string[][] {
  return text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(',').map((part) => part.trim()));
}
