/** When and where a run is cut into several submits. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { lowerGraph } from '../../../src/gpu/lower/index.js';
import { cutEvenly, LONGEST_SUBMIT, SubmitCuts } from '../../../src/gpu/submit-cuts.js';
import { matmul } from '../../../src/ops/index.js';

describe('cutting', () => {
  it.each([
    [[1, 1, 1, 1], 1, [4]],
    [[1, 1, 1, 1], 2, [2, 4]],
    [[1, 1, 1, 1, 1, 1], 3, [2, 4, 6]],
    [[9, 1, 1, 1], 2, [1, 4]],
    [[1, 1, 1, 9], 2, [3, 4]],
    [[5], 3, [1]],
    [[1, 1], 5, [1, 2]],
    [[], 2, [0]],
  ])('%j into %d', (weights, parts, ends) => {
    expect(cutEvenly(weights, parts)).toEqual(ends);
  });

  it('makes parts of about equal weight, none of them empty', () => {
    const weights = Array.from({ length: 300 }, (_, index) => 1 + (index % 7));
    const ends = cutEvenly(weights, 7);
    expect(ends).toHaveLength(7);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    ends.forEach((end, index) => {
      const part = weights.slice(ends[index - 1] ?? 0, end);
      const weight = part.reduce((sum, one) => sum + one, 0);
      expect(part.length).toBeGreaterThan(0);
      expect(Math.abs(weight - total / 7)).toBeLessThanOrEqual(7);
    });
  });
});

/** Runs one after another, each taking as long as it is told. */
async function watch(cuts: SubmitCuts, durations: readonly number[], waits = 0): Promise<number[]> {
  let time = 0;
  const submits: number[] = [];
  for (const duration of durations) {
    let finish = (): void => undefined;
    const done = new Promise<void>((resolve) => (finish = resolve));
    cuts.watch(
      () => done,
      () => time,
    );
    time += duration + waits;
    finish();
    await done;
    await Promise.resolve();
    submits.push(cuts.submits);
  }
  return submits;
}

const ten = Array.from({ length: 10 }, () => 1);

describe('learning', () => {
  it('leaves quick runs whole', async () => {
    expect(await watch(new SubmitCuts(ten), [LONGEST_SUBMIT, 40, 40])).toEqual([1, 1, 1]);
  });

  it('cuts slow ones into as few as needed', async () => {
    const cuts = new SubmitCuts(ten);
    expect(await watch(cuts, [1800])).toEqual([4]);
    expect(cuts.ends).toHaveLength(4);
    expect(cuts.ends.at(-1)).toBe(10);
  });

  it('believes the quickest run, since the first compiles and others may wait', async () => {
    expect(await watch(new SubmitCuts(ten), [3000, 1200, 2000, 900])).toEqual([6, 3, 3, 2]);
  });

  it('stops measuring after a few runs', async () => {
    expect(await watch(new SubmitCuts(ten), [1200, 1200, 1200, 1200, 10])).toEqual([3, 3, 3, 3, 3]);
  });

  it('does not count the time that a run waits for the one before', async () => {
    const cuts = new SubmitCuts(ten);
    let time = 0;
    const finishers: (() => void)[] = [];
    const submit = (): void => {
      cuts.watch(
        () => new Promise<void>((resolve) => finishers.push(resolve)),
        () => time,
      );
    };
    submit();
    submit();
    for (const now of [450, 900]) {
      time = now;
      finishers.shift()!();
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(cuts.submits).toBe(1);
  });

  it('says nothing of a device that is lost', async () => {
    const cuts = new SubmitCuts(ten);
    cuts.watch(() => Promise.reject(new Error('lost')));
    await Promise.resolve();
    await Promise.resolve();
    expect(cuts.submits).toBe(1);
  });
});

it('weighs the steps of a program by their work', async () => {
  const graph = new Graph('two products');
  const small = matmul(graph.input('a', [64, 64]), graph.input('b', [64, 64]));
  const large = matmul(small, graph.input('c', [64, 4096]));
  graph.output('y', matmul(large, graph.input('d', [4096, 64])));
  const cuts = SubmitCuts.of(lowerGraph(graph, Infinity).program);
  await watch(cuts, [999]);
  // The first product and the second on one side, the third on the other.
  expect(cuts.ends).toEqual([2, 3]);
});
