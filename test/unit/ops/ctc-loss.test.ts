/** CTC against the sum over all paths, its gradient against differences, and the edges: nothing, repeats, too short. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import * as ops from '../../../src/ops/index.js';
import { allPaths, collapse } from '../support/ctc-paths.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole, type Fed } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';

const random = randomSource(31);

/** A batch: targets as they are, without padding. */
interface Batch {
  readonly T: number;
  readonly C: number;
  readonly blank: number;
  readonly targets: readonly (readonly number[])[];
  readonly inputLengths: readonly number[];
}

const BATCHES: readonly (readonly [string, Batch])[] = [
  ['plain', { T: 4, C: 3, blank: 0, targets: [[1, 2], [2]], inputLengths: [4, 4] }],
  [
    'repeated labels',
    {
      T: 5,
      C: 3,
      blank: 0,
      targets: [
        [1, 1],
        [2, 2, 1],
        [1, 2, 1],
      ],
      inputLengths: [5, 5, 5],
    },
  ],
  [
    'a blank in the middle',
    { T: 5, C: 4, blank: 2, targets: [[0, 3], [3, 3], [1]], inputLengths: [5, 4, 3] },
  ],
  [
    'the last class as blank',
    {
      T: 4,
      C: 3,
      blank: 2,
      targets: [
        [0, 1],
        [1, 1],
      ],
      inputLengths: [4, 3],
    },
  ],
  ['empty targets', { T: 4, C: 3, blank: 0, targets: [[], [1], []], inputLengths: [4, 3, 1] }],
  [
    'inputs just long enough',
    { T: 5, C: 3, blank: 1, targets: [[0, 2], [0, 0], [2]], inputLengths: [2, 3, 1] },
  ],
  ['one step', { T: 1, C: 2, blank: 0, targets: [[1], []], inputLengths: [1, 1] }],
];

function inputsOf({ T, C, targets, inputLengths }: Batch): Record<'x' | 'y' | 'inputs' | 'lengths', Fed> {
  const B = targets.length;
  const S = Math.max(1, ...targets.map(({ length }) => length)) + 1;
  // What lies past a target's length is no class at all.
  const padded = targets.flatMap((target) => [...target, ...new Array<number>(S - target.length).fill(-7)]);
  return {
    x: real([T, B, C], randomArray(random, T * B * C, -2, 2)),
    y: whole([B, S], padded),
    inputs: whole([B], inputLengths),
    lengths: whole(
      [B],
      targets.map(({ length }) => length),
    ),
  };
}

/** `−ln` of the sum over all paths that give the target. */
function byAllPaths({ C, blank, targets, inputLengths }: Batch, x: ArrayLike<number>): number[] {
  const B = targets.length;
  return targets.map((target, b) => {
    let sum = 0;
    for (const path of allPaths(inputLengths[b]!, C)) {
      if (collapse(path, blank).join() !== target.join()) continue;
      sum += Math.exp(path.reduce((score, c, t) => score + x[(t * B + b) * C + c]!, 0));
    }
    return -Math.log(sum);
  });
}

describe.each(BATCHES)('ctcLosses, %s', (_name, batch) => {
  const inputs = inputsOf(batch);
  const attributes = { blank: batch.blank, zeroInfinity: false, perLabel: false };
  it('is the sum over all paths', async () => {
    const [loss] = await evaluate(inputs, ({ x, y, inputs: inputLengths, lengths: targetLengths }) => [
      ops.ctcLosses({ logProbabilities: x, targets: y, inputLengths, targetLengths }, attributes),
    ]);
    expectClose(loss!, byAllPaths(batch, inputs.x.data));
  });
  it('has the right gradient', async () => {
    await checkGradients({
      inputs,
      record: ({ x, y, inputs: inputLengths, lengths: targetLengths }) => [
        ops.ctcLosses({ logProbabilities: x, targets: y, inputLengths, targetLengths }, attributes),
      ],
    });
  });
  it.each([false, true])(
    'has the right gradient per label behind a log softmax, zeroInfinity %j',
    async (zero) => {
      await checkGradients({
        inputs,
        record: ({ x, y, inputs: inputLengths, lengths: targetLengths }) => [
          ops.ctcLosses(
            { logProbabilities: ops.logSoftmax(x), targets: y, inputLengths, targetLengths },
            { blank: batch.blank, zeroInfinity: zero, perLabel: true },
          ),
        ],
        // One class alone at every step is certain.
        zero: [],
      });
    },
  );
});

describe('ctcLosses', () => {
  /** The second sequence is too short for its target, the third needs a blank between two equal labels. */
  const impossible = inputsOf({
    T: 4,
    C: 3,
    blank: 0,
    targets: [
      [1, 2],
      [1, 2, 1],
      [2, 2],
    ],
    inputLengths: [4, 2, 2],
  });
  const run = (zeroInfinity: boolean) =>
    evaluate(impossible, ({ x, y, inputs: inputLengths, lengths: targetLengths }) => {
      const loss = ops.ctcLosses(
        { logProbabilities: x, targets: y, inputLengths, targetLengths },
        { blank: 0, zeroInfinity, perLabel: false },
      );
      return [loss, ops.gradients(ops.sum(loss), [x])[0]!];
    });
  /** The gradients of one sequence at one step. */
  const at = (gradient: ArrayLike<number>, t: number, b: number): number[] =>
    Array.from({ length: 3 }, (_, c) => gradient[(t * 3 + b) * 3 + c]!);

  it('is infinite where no path gives the target, and its gradient NaN up to the length', async () => {
    const [loss, gradient] = await run(false);
    expect(Number.isFinite(loss![0])).toBe(true);
    expect([...loss!.slice(1)]).toEqual([Infinity, Infinity]);
    for (const b of [1, 2]) {
      expect(at(gradient!, 1, b)).toEqual([NaN, NaN, NaN]);
      expect(at(gradient!, 2, b)).toEqual([0, 0, 0]);
    }
    expectClose(at(gradient!, 3, 0), at((await run(true))[1]!, 3, 0));
  });
  it('is 0 there with zeroInfinity, and so is its gradient', async () => {
    const [loss, gradient] = await run(true);
    expect([...loss!.slice(1)]).toEqual([0, 0]);
    for (const b of [1, 2]) for (const t of [0, 1, 2, 3]) expect(at(gradient!, t, b)).toEqual([0, 0, 0]);
    expect(at(gradient!, 0, 0).some((value) => value !== 0)).toBe(true);
  });
  it('of no input is 0 for no label and infinite for one', async () => {
    const inputs = inputsOf({ T: 2, C: 3, blank: 0, targets: [[], [1]], inputLengths: [0, 0] });
    const [loss] = await evaluate(inputs, ({ x, y, inputs: inputLengths, lengths: targetLengths }) => [
      ops.ctcLosses(
        { logProbabilities: x, targets: y, inputLengths, targetLengths },
        { blank: 0, zeroInfinity: false, perLabel: false },
      ),
    ]);
    expect([...loss!].map((value) => value + 0)).toEqual([0, Infinity]);
  });
  it.each([
    ['the blank as a label', [0, 1], [2], [2], /label 0 at place 0 of sequence 0 is the blank/],
    ['a label that is no class', [1, 3], [2], [2], /label 3 at place 1 of sequence 0 is none of 3 classes/],
    ['too long an input', [1, 2], [5], [2], /input of sequence 0 has length 5.*0 to 4/],
    ['too long a target', [1, 2], [4], [3], /target of sequence 0 has length 3.*0 to 2/],
  ])('refuses %s', async (_name, y, inputLengths, targetLengths, message) => {
    const inputs = {
      x: real([4, 1, 3], randomArray(random, 12)),
      y: whole([1, 2], y),
      inputs: whole([1], inputLengths),
      lengths: whole([1], targetLengths),
    };
    const losses = evaluate(inputs, (v) => [
      ops.ctcLosses(
        { logProbabilities: v.x, targets: v.y, inputLengths: v.inputs, targetLengths: v.lengths },
        { blank: 0, zeroInfinity: false, perLabel: false },
      ),
    ]);
    await expect(losses).rejects.toThrow(ArgumentError);
    await expect(losses).rejects.toThrow(message);
  });

  const graph = new Graph('test');
  const good = {
    logProbabilities: graph.input('x', [4, 2, 3]),
    targets: graph.input('y', [2, 5], 'int32'),
    inputLengths: graph.input('inputs', [2], 'int32'),
    targetLengths: graph.input('lengths', [2], 'int32'),
  };
  const attributes = { blank: 0, zeroInfinity: false, perLabel: false };
  const flat = graph.input('flat', [4, 3]);
  const three = graph.input('three', [3], 'int32');
  const others = graph.input('others', [3, 5], 'int32');
  it.each([
    ['two dimensions', { logProbabilities: flat }, {}, ShapeError, /\[4,3\].*\[T,B,C\]/],
    ['another batch', { targets: others }, {}, ShapeError, /3 targets for a batch of 2/],
    ['other lengths', { inputLengths: three }, {}, ShapeError, /input lengths has shape \[3\]/],
    ['real lengths', { targetLengths: flat }, {}, ShapeError, /target lengths holds float32/],
    ['no such blank', {}, { blank: 3 }, ShapeError, /blank is 3, there are 3 classes/],
    ['half a blank', {}, { blank: 0.5 }, ArgumentError, /blank is 0.5/],
    ['maybe', {}, { zeroInfinity: 1 as unknown as boolean }, ArgumentError, /zeroInfinity is 1/],
  ])('refuses %s', (_name, inputs, changed, type, message) => {
    const call = () => ops.ctcLosses({ ...good, ...inputs }, { ...attributes, ...changed });
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });
});
