/**
 * Recurrent layers by the book: one sequence, one step, one vector at a time, in plain numbers. It shares
 * nothing with the library but the generator of random words.
 */
import { threefry2x32 } from '../../../src/cpu/dropout.js';
import type { RecurrentAttributes } from '../../../src/ops/recurrent-attributes.js';

type Vector = number[];

/** Numbers by name; one direction's carry its index as a suffix, as `weightIh0`. */
export type Numbers = Readonly<Record<string, ArrayLike<number>>>;

/** The sizes of a layer; R is H without projection. */
export interface ReferenceSizes {
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  readonly R: number;
}

const indices = (size: number): number[] => [...Array(size).keys()];
const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
const clip = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x);

const FUNCTIONS: Record<string, (x: number) => number> = {
  tanh: (x) => 1 - 2 / (Math.exp(2 * x) + 1),
  sigmoid: sigma,
  relu: (x) => (x > 0 ? x : 0),
  linear: (x) => x,
  hardSigmoid: (x) => clip(x / 6 + 0.5, 0, 1),
  onnxHardSigmoid: (x) => clip(0.2 * x + 0.5, 0, 1),
};

/** Rows `begin … begin + rows − 1` of a matrix times a vector. */
function times(matrix: ArrayLike<number>, vector: Vector, begin: number, rows: number): Vector {
  return indices(rows).map((i) =>
    vector.reduce((sum, x, j) => sum + matrix[(begin + i) * vector.length + j]! * x, 0),
  );
}

function plus(a: Vector, b: ArrayLike<number> | undefined, begin = 0): Vector {
  return b ? a.map((x, i) => x + b[begin + i]!) : a;
}

function layerNorm(v: Vector, parameters: ArrayLike<number> | undefined, epsilon: number): Vector {
  if (!parameters) return v;
  const mean = v.reduce((sum, x) => sum + x, 0) / v.length;
  const variance = v.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / v.length;
  return v.map(
    (x, i) => (parameters[i]! * (x - mean)) / Math.sqrt(variance + epsilon) + parameters[v.length + i]!,
  );
}

function uniform(seed: number, stream: number, first: number, second: number): number {
  const words = new Uint32Array(2);
  threefry2x32(seed, stream, first, second, words);
  return (words[0]! >>> 8) / 2 ** 24;
}

/** Runs the layer; `y` is `[T,B,D·R]`, the final states are in the operation's order. */
export function referenceLayer(
  attributes: RecurrentAttributes,
  { T, B, I, H, R }: ReferenceSizes,
  numbers: Numbers,
): { y: Vector; finals: Vector[] } {
  const { cell, directions, training, stream, epsilon, gateClip, cellClip } = attributes;
  const D = directions.length;
  const G = { rnn: 1, lstm: 4, gru: 3 }[cell];
  const seed = numbers['seed']?.[0] ?? 0;
  const y: Vector = new Array<number>(T * B * D * R).fill(0);
  const bounded = (x: number): number => (gateClip > 0 ? clip(x, -gateClip, gateClip) : x);
  const act = (x: number): number => FUNCTIONS[attributes.activation]!(bounded(x));
  const gate = (x: number): number => FUNCTIONS[attributes.gateActivation]!(bounded(x));

  const finals = directions.flatMap((direction, d) => {
    const of = (name: string): ArrayLike<number> | undefined => numbers[`${name}${d}`];
    const weightIh = of('weightIh')!;
    const weightHh = of('weightHh')!;
    const peephole = of('peephole');
    const weightHr = of('weightHr');
    const ends = { h: [] as Vector, c: [] as Vector };

    /** How much of its old value a unit keeps. */
    const zoned = (state: number, t: number, b: number, width: number, j: number): number => {
      const p = attributes.zoneout[state] ?? 0;
      if (!training) return p;
      const index = (t * B + b) * width + j;
      return uniform(seed, stream, index, [1, 3, 5, 7][state + 2 * d]!) < Math.fround(p) ? 1 : 0;
    };

    for (const b of indices(B)) {
      const initial = (name: string, width: number): Vector =>
        indices(width).map((j) => of(name)?.[b * width + j] ?? 0);
      let h = initial('h', R);
      let c = initial('c', H);
      const order = direction === 'reverse' ? indices(T).reverse() : indices(T);
      for (const t of order) {
        if (numbers['mask']?.[t * B + b] === 0) continue;
        const x = indices(I).map((i) => numbers['x']![(t * B + b) * I + i]!);
        const seen = h.map((value, j) => {
          const p = attributes.recurrentDropout;
          if (!training || p === 0) return value;
          return uniform(seed, stream, b * R + j, 8 + d) >= Math.fround(p) ? value / (1 - p) : 0;
        });
        const fromX = plus(layerNorm(times(weightIh, x, 0, G * H), of('normIh'), epsilon), of('biasIh'));
        const fromH = plus(layerNorm(times(weightHh, seen, 0, G * H), of('normHh'), epsilon), of('biasHh'));
        const a = (g: number, j: number): number => fromX[g * H + j]!;
        const q = (g: number, j: number): number => fromH[g * H + j]!;
        let newH: Vector;
        let newC: Vector = c;
        if (cell === 'rnn') {
          newH = indices(H).map((j) => act(a(0, j) + q(0, j)));
        } else if (cell === 'lstm') {
          const old = c;
          const peep = (row: number, j: number, from: Vector): number =>
            peephole ? peephole[row * H + j]! * from[j]! : 0;
          const i = indices(H).map((j) => gate(a(0, j) + q(0, j) + peep(0, j, old)));
          const f = indices(H).map((j) =>
            attributes.coupled ? 1 - i[j]! : gate(a(1, j) + q(1, j) + peep(1, j, old)),
          );
          const g = indices(H).map((j) => act(a(2, j) + q(2, j)));
          newC = indices(H).map((j) => f[j]! * old[j]! + i[j]! * g[j]!);
          newC = layerNorm(newC, of('normC'), epsilon);
          if (cellClip > 0) newC = newC.map((value) => clip(value, -cellClip, cellClip));
          const fresh = newC;
          const o = indices(H).map((j) => gate(a(3, j) + q(3, j) + peep(2, j, fresh)));
          newH = o.map((value, j) => value * FUNCTIONS[attributes.outputActivation]!(fresh[j]!));
          if (weightHr) newH = times(weightHr, newH, 0, R);
        } else {
          const r = indices(H).map((j) => gate(a(0, j) + q(0, j)));
          const z = indices(H).map((j) => gate(a(1, j) + q(1, j)));
          const reset = seen.map((value, j) => r[j]! * value);
          const recurrentN = attributes.resetAfter
            ? indices(H).map((j) => r[j]! * q(2, j))
            : plus(times(weightHh, reset, 2 * H, H), of('biasHh'), 2 * H);
          const n = recurrentN.map((value, j) => act(a(2, j) + value));
          newH = n.map((value, j) => (1 - z[j]!) * value + z[j]! * h[j]!);
        }
        const keep = (state: number, old: Vector, fresh: Vector): Vector =>
          fresh.map((value, j) => {
            const z = zoned(state, t, b, fresh.length, j);
            return z * old[j]! + (1 - z) * value;
          });
        h = keep(0, h, newH);
        if (cell === 'lstm') c = keep(1, c, newC);
        h.forEach((value, j) => (y[(t * B + b) * D * R + d * R + j] = value));
      }
      ends.h.push(...h);
      ends.c.push(...c);
    }
    return cell === 'lstm' ? [ends.h, ends.c] : [ends.h];
  });
  return { y, finals };
}
