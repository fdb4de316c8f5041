/** Every option of `recurrent`, alone and with others: values against plain formulas, gradients against differences. */
import { describe, expect, it } from 'vitest';
import { sizeOf, type Shape } from '../../../src/graph/shape.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { ACTIVATION_NAMES, CELLS, type ActivationName, type CellName } from '../../../src/ops/cells.js';
import * as ops from '../../../src/ops/index.js';
import { TOLERANCES } from '../../support/tolerances.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole, type Fed } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';
import { referenceLayer, type ReferenceSizes } from '../support/recurrent-reference.js';

type Options = Partial<Omit<ops.RecurrentAttributes, 'cell'>>;

/** A layer to check. */
interface Case {
  readonly cell: CellName;
  readonly options?: Options;
  readonly both?: boolean;
  readonly mask?: readonly (readonly number[])[];
  readonly projection?: boolean;
  readonly peephole?: boolean;
  /** Left out: `bias` for both biases, `state` for the initial states. */
  readonly without?: readonly ('bias' | 'state')[];
  /** How large weights and inputs may be. Default 0.8. */
  readonly scale?: number;
}

const sizes = { T: 4, B: 3, I: 2, H: 3 };
/** Lengths 2, 4, 1: not sorted, and one of a single step. */
const lengths = [
  [1, 1, 1],
  [1, 1, 0],
  [0, 1, 0],
  [0, 1, 0],
];
/** Steps taken out anywhere: at the begin, in the middle, at the end; any number but 0 is a step. */
const holes = [
  [0, 1, 1],
  [1, 0, -7],
  [1, 0, 1],
  [3, 1, 0],
];

const cells = Object.keys(CELLS) as CellName[];
const drawn = { training: true, stream: 5 };
const cases: Record<string, Case> = {};

for (const cell of cells) {
  const zoneout = cell === 'lstm' ? [0.4, 0.3] : [0.4];
  const forEachCell: Record<string, Omit<Case, 'cell'>> = {
    reverse: { options: { directions: ['reverse'] } },
    bidirectional: { both: true },
    lengths: { mask: lengths },
    'lengths, no bias and no initial state': { mask: lengths, without: ['bias', 'state'] },
    'reverse and lengths': { options: { directions: ['reverse'] }, mask: lengths },
    'bidirectional and lengths': { both: true, mask: lengths },
    'bidirectional and a mask with holes': { both: true, mask: holes },
    'bidirectional, lengths, no initial state': { both: true, mask: lengths, without: ['state'] },
    gateClip: { options: { gateClip: 0.4 } },
    'gateClip, hard sigmoid, relu and lengths': {
      options: { gateClip: 0.6, gateActivation: 'hardSigmoid', activation: 'relu' },
      mask: lengths,
    },
    'zoneout in training': { options: { zoneout, ...drawn } },
    'zoneout in evaluation': { options: { zoneout } },
    'zoneout in training, bidirectional, holes': { options: { zoneout, ...drawn }, both: true, mask: holes },
    'zoneout in evaluation, bidirectional, lengths': { options: { zoneout }, both: true, mask: lengths },
    recurrentDropout: { options: { recurrentDropout: 0.4, ...drawn } },
    'recurrentDropout, bidirectional, lengths': {
      options: { recurrentDropout: 0.3, ...drawn },
      both: true,
      mask: lengths,
    },
    'recurrentDropout, zoneout, holes': {
      options: { recurrentDropout: 0.3, zoneout, ...drawn },
      mask: holes,
    },
    layerNorm: { options: { layerNorm: true } },
    'layerNorm, bidirectional, lengths': { options: { layerNorm: true }, both: true, mask: lengths },
    'layerNorm, no bias, no initial state, large epsilon': {
      options: { layerNorm: true, epsilon: 0.1 },
      without: ['bias', 'state'],
    },
    'layerNorm, gateClip, zoneout, recurrentDropout, holes': {
      options: { layerNorm: true, gateClip: 0.9, zoneout, recurrentDropout: 0.3, ...drawn },
      mask: holes,
    },
  };
  for (const [name, rest] of Object.entries(forEachCell)) cases[`${cell}, ${name}`] = { cell, ...rest };

  const roles = {
    rnn: ['activation'],
    lstm: ['activation', 'gateActivation', 'outputActivation'],
    gru: ['activation', 'gateActivation'],
  } as const;
  for (const role of roles[cell]) {
    for (const name of ACTIVATION_NAMES) {
      // Large enough that the hard ones meet both their ends.
      if (ops.DEFAULT_RECURRENT_ATTRIBUTES[role] === name) continue;
      cases[`${cell}, ${role} ${name}`] = { cell, options: { [role]: name }, scale: 1.6 };
    }
  }
}

const allClips = { gateClip: 0.9, cellClip: 0.3, coupled: true };
Object.assign(cases, {
  'lstm, projection': { cell: 'lstm', projection: true },
  'lstm, projection, no bias, no initial state': {
    cell: 'lstm',
    projection: true,
    without: ['bias', 'state'],
  },
  'lstm, projection, lengths': { cell: 'lstm', projection: true, mask: lengths },
  'lstm, projection, bidirectional': { cell: 'lstm', projection: true, both: true },
  'lstm, projection, bidirectional, lengths': { cell: 'lstm', projection: true, both: true, mask: lengths },
  'lstm, projection, zoneout, recurrentDropout, bidirectional, holes': {
    cell: 'lstm',
    projection: true,
    both: true,
    mask: holes,
    options: { zoneout: [0.3, 0.4], recurrentDropout: 0.3, ...drawn },
  },
  'lstm, zoneout of h alone': { cell: 'lstm', options: { zoneout: [0.5, 0], ...drawn } },
  'lstm, zoneout of c alone': { cell: 'lstm', options: { zoneout: [0, 0.5], ...drawn } },
  'lstm, peephole': { cell: 'lstm', peephole: true },
  'lstm, peephole, bidirectional, lengths': { cell: 'lstm', peephole: true, both: true, mask: lengths },
  'lstm, peephole, zoneout, holes': {
    cell: 'lstm',
    peephole: true,
    mask: holes,
    options: { zoneout: [0.3, 0.4], ...drawn },
  },
  'lstm, coupled': { cell: 'lstm', options: { coupled: true } },
  'lstm, coupled, layerNorm, lengths': {
    cell: 'lstm',
    options: { coupled: true, layerNorm: true },
    mask: lengths,
  },
  'lstm, cellClip': { cell: 'lstm', options: { cellClip: 0.3 } },
  'lstm, cellClip, zoneout': { cell: 'lstm', options: { cellClip: 0.3, zoneout: [0.2, 0.5], ...drawn } },
  'lstm, peephole, gateClip': { cell: 'lstm', peephole: true, options: { gateClip: 0.5 } },
  'lstm, peephole, cellClip': { cell: 'lstm', peephole: true, options: { cellClip: 0.3 } },
  'lstm, peephole, coupled': { cell: 'lstm', peephole: true, options: { coupled: true } },
  'lstm, gateClip, cellClip, coupled': { cell: 'lstm', options: allClips },
  'lstm, peephole, gateClip, cellClip, coupled': { cell: 'lstm', peephole: true, options: allClips },
  'lstm, everything but layerNorm': {
    cell: 'lstm',
    peephole: true,
    projection: true,
    both: true,
    mask: holes,
    options: {
      gateClip: 0.9,
      cellClip: 0.3,
      zoneout: [0.2, 0.3],
      recurrentDropout: 0.3,
      activation: 'hardSigmoid',
      outputActivation: 'linear',
      ...drawn,
    },
  },
  'gru, reset before': { cell: 'gru', options: { resetAfter: false } },
  'gru, reset before, no bias': { cell: 'gru', options: { resetAfter: false }, without: ['bias'] },
  'gru, reset before, lengths': { cell: 'gru', options: { resetAfter: false }, mask: lengths },
  'gru, reset before, lengths, no initial state': {
    cell: 'gru',
    options: { resetAfter: false },
    mask: lengths,
    without: ['state'],
  },
  'gru, reset before, bidirectional, holes': {
    cell: 'gru',
    options: { resetAfter: false },
    both: true,
    mask: holes,
  },
  'gru, reset before, gateClip': { cell: 'gru', options: { resetAfter: false, gateClip: 0.4 } },
  'gru, reset before, recurrentDropout, zoneout, holes': {
    cell: 'gru',
    options: { resetAfter: false, recurrentDropout: 0.4, zoneout: [0.3], ...drawn },
    mask: holes,
  },
} satisfies Record<string, Case>);

/** Numbers for all inputs of a case; a direction's have its index as a suffix. */
function feedsOf(given: Case, T = sizes.T): Record<string, Fed> {
  const random = randomSource(37);
  const { cell, options = {}, both = false, mask, without = [], scale = 0.8 } = given;
  const { I, H } = sizes;
  const B = mask?.[0]!.length ?? sizes.B;
  const R = given.projection ? 2 : H;
  const rows = CELLS[cell].gates.length * H;
  const some = (shape: Shape): Fed => real(shape, randomArray(random, sizeOf(shape), -scale, scale));
  const gains = (width: number): Fed =>
    real([2, width], [...randomArray(random, width, 0.5, 1.5), ...randomArray(random, width, -0.5, 0.5)]);
  const feeds: Record<string, Fed> = { x: some([T, B, I]) };
  if (mask) feeds['mask'] = whole([T, B], mask.flat());
  if (options.training) feeds['seed'] = whole([], [-123456]);
  for (const d of both ? [0, 1] : [0]) {
    const direction: Record<string, Fed | false> = {
      weightIh: some([rows, I]),
      weightHh: some([rows, R]),
      biasIh: !without.includes('bias') && some([rows]),
      biasHh: !without.includes('bias') && some([rows]),
      weightHr: given.projection === true && some([R, H]),
      peephole: given.peephole === true && some([3, H]),
      normIh: options.layerNorm === true && gains(rows),
      normHh: options.layerNorm === true && gains(rows),
      normC: options.layerNorm === true && cell === 'lstm' && gains(H),
      h: !without.includes('state') && some([B, R]),
      c: !without.includes('state') && cell === 'lstm' && some([B, H]),
    };
    for (const [name, fed] of Object.entries(direction)) if (fed) feeds[`${name}${d}`] = fed;
  }
  return feeds;
}

/** Records the layer of a case over its values: the output and the final states. */
function record(given: Case, values: Readonly<Record<string, Value>>, options = given.options): Value[] {
  const parameters = (d: number): ops.RecurrentParameters => ({
    weightIh: values[`weightIh${d}`]!,
    weightHh: values[`weightHh${d}`]!,
    biasIh: values[`biasIh${d}`] ?? null,
    biasHh: values[`biasHh${d}`] ?? null,
    weightHr: values[`weightHr${d}`] ?? null,
    peephole: values[`peephole${d}`] ?? null,
    normIh: values[`normIh${d}`] ?? null,
    normHh: values[`normHh${d}`] ?? null,
    normC: values[`normC${d}`] ?? null,
    initialStates: CELLS[given.cell].states.map((state) => values[`${state}${d}`] ?? null),
  });
  const { directions, ...others } = options ?? {};
  const { output, finalStates } = ops.recurrent({
    ...others,
    cell: given.cell,
    x: values['x']!,
    mask: values['mask'] ?? null,
    seed: values['seed'] ?? null,
    ...parameters(0),
    ...(given.both ? { reverse: parameters(1) } : directions ? { direction: directions[0]! } : {}),
  });
  return [output, ...finalStates];
}

function reference(given: Case, feeds: Record<string, Fed>): number[][] {
  const [T, B, I] = feeds['x']!.shape as [number, number, number];
  const R = feeds['weightHh0']!.shape[1]!;
  const all: ReferenceSizes = { T, B, I, H: sizes.H, R };
  const numbers = Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data]));
  const { y, finals } = referenceLayer(
    {
      ...ops.DEFAULT_RECURRENT_ATTRIBUTES,
      ...given.options,
      cell: given.cell,
      ...(given.both ? { directions: ['forward', 'reverse'] } : {}),
    },
    all,
    numbers,
  );
  return [y, ...finals];
}

function expectSame(got: readonly HostArray[], wanted: readonly (readonly number[])[]): void {
  expect(got.length).toBe(wanted.length);
  got.forEach((array, i) => expectClose(array, wanted[i]!, TOLERANCES.float64, `result ${i}`));
}

describe.each(Object.entries(cases))('%s', (_, given) => {
  const feeds = feedsOf(given);

  it('equals the formulas', async () => {
    expectSame(await evaluate(feeds, (v) => record(given, v)), reference(given, feeds));
  });

  it('matches central differences by all inputs', async () => {
    await checkGradients({ inputs: feeds, record: (v) => record(given, v) });
  });

  it('gives the same outputs when a backward pass needs its residual', async () => {
    const plain = await evaluate(feeds, (v) => record(given, v));
    const kept = await evaluate(feeds, (v) => {
      const results = record(given, v);
      return [...results, ...ops.gradients(ops.sum(results[0]!), [v['x']!])];
    });
    plain.forEach((array, i) => expect([...kept[i]!]).toEqual([...array]));
  });
});

describe('an option acts', () => {
  const acting = Object.entries(cases).filter(([, { options }]) => options && !options.layerNorm);

  it.each(acting)('%s', async (_, given) => {
    const feeds = feedsOf(given);
    const [[varied], [plain]] = await Promise.all([
      evaluate(feeds, (v) => record(given, v)),
      evaluate(feeds, (v) => record(given, v, {})),
    ]);
    const difference = Math.max(...varied!.map((value: number, i: number) => Math.abs(value - plain![i]!)));
    expect(difference).toBeGreaterThan(1e-3);
  });
});

describe.each(cells)('%s, one step', (cell) => {
  const layers: Record<string, Case> = {
    plain: { cell },
    bidirectional: { cell, both: true },
    'bidirectional and masked': { cell, both: true, mask: [[1, 0, 1]] },
    'with layerNorm': { cell, options: { layerNorm: true } },
    'with drawn masks': {
      cell,
      options: {
        ...drawn,
        recurrentDropout: 0.5,
        zoneout: CELLS[cell].states.map(() => 0.5),
      },
    },
  };
  it.each(Object.entries(layers))('%s', async (_, given) => {
    const feeds = feedsOf(given, 1);
    expectSame(await evaluate(feeds, (v) => record(given, v)), reference(given, feeds));
    await checkGradients({ inputs: feeds, record: (v) => record(given, v) });
  });
});

describe('clamps', () => {
  it('let no gradient through where they hold, and all of it where they do not', async () => {
    const feeds = {
      x: real([1, 3, 1], [2, 0.5, -2]),
      weightIh: real([1, 1], [1]),
      weightHh: real([1, 1], [1]),
    };
    const compute = (activation: ActivationName): Promise<HostArray[]> =>
      evaluate(feeds, ({ x, weightIh, weightHh }) => {
        const { output } = ops.recurrent({ cell: 'rnn', x, weightIh, weightHh, activation, gateClip: 1 });
        return [output, ...ops.gradients(ops.sum(output), [x])];
      });
    const [y, dX] = await compute('linear');
    expect([...y!]).toEqual([1, 0.5, -1]);
    expect([...dX!]).toEqual([0, 1, 0]);
    const [relu, dRelu] = await compute('relu');
    expect([...relu!]).toEqual([1, 0.5, 0]);
    expect([...dRelu!]).toEqual([0, 1, 0]);
  });

  it('hold at the bound itself, and in float32', async () => {
    const feeds = { x: real([1, 2, 1], [0.3, 0.25]), weight: real([1, 1], [1]) };
    const [y, dX] = await evaluate(
      feeds,
      ({ x, weight }) => {
        const options = { cell: 'rnn', activation: 'linear', gateClip: 0.3 } as const;
        const { output } = ops.recurrent({ ...options, x, weightIh: weight, weightHh: weight });
        return [output, ...ops.gradients(ops.sum(output), [x])];
      },
      'float32',
    );
    expect([...y!]).toEqual([Math.fround(0.3), 0.25]);
    expect([...dX!]).toEqual([0, 1]);
  });
});

describe('the random masks', () => {
  const given: Case = {
    cell: 'lstm',
    options: { zoneout: [0.5, 0.5], recurrentDropout: 0.5, ...drawn },
    both: true,
  };

  it('repeat with the seed and the stream, and differ with either changed', async () => {
    const feeds = feedsOf(given);
    const other = { ...feeds, seed: whole([], [4]) };
    const [[first], [again], [reseeded], [restreamed]] = await Promise.all([
      evaluate(feeds, (v) => record(given, v)),
      evaluate(feeds, (v) => record(given, v)),
      evaluate(other, (v) => record(given, v)),
      evaluate(feeds, (v) => record(given, v, { ...given.options, stream: 6 })),
    ]);
    expect([...again!]).toEqual([...first!]);
    expect([...reseeded!]).not.toEqual([...first!]);
    expect([...restreamed!]).not.toEqual([...first!]);
  });

  it('are not drawn in evaluation: dropout is off and no seed is needed', async () => {
    const plain: Case = { cell: 'gru' };
    const feeds = feedsOf(plain);
    const [[off], [without]] = await Promise.all([
      evaluate(feeds, (v) => record(plain, v, { recurrentDropout: 0.5 })),
      evaluate(feeds, (v) => record(plain, v)),
    ]);
    expect([...off!]).toEqual([...without!]);
  });

  it('keep a unit as often as they say', async () => {
    const H = 400;
    const [y] = await evaluate(
      { x: real([1, 10, 1], new Array(10).fill(1)), seed: whole([], [9]) },
      ({ x, seed }, graph) => {
        const weightIh = ops.fill(graph, [H, 1], 1);
        const weightHh = ops.fill(graph, [H, H], 0);
        const options = { cell: 'rnn', zoneout: [0.3], training: true } as const;
        return [ops.recurrent({ ...options, x, seed, weightIh, weightHh }).output];
      },
    );
    const kept = y!.filter((value: number) => value === 0).length / (10 * H);
    // Four standard deviations of the mean of 4000 draws.
    expect(Math.abs(kept - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / (10 * H)));
  });
});

it('keeping segments instead of every step changes no number', async () => {
  const given: Case = { cell: 'gru', both: true, mask: lengths };
  const feeds = feedsOf(given);
  const compute = (segment: number): Promise<HostArray[]> =>
    evaluate(feeds, (v) => {
      const results = record(given, v, { segment });
      return [...results, ...ops.gradients(ops.sum(results[0]!), [v['x']!, v['weightHh1']!])];
    });
  const [all, segments] = await Promise.all([compute(0), compute(2)]);
  all.forEach((array, i) => expect([...segments[i]!]).toEqual([...array]));
});
