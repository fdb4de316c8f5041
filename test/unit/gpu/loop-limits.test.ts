/** What an invocation may loop through: work is split to stay below it, or refused where it cannot be. */
import { describe, expect, it } from 'vitest';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import { countLoop } from '../../../src/gpu/lower/limits.js';
import type { DispatchStep } from '../../../src/gpu/program.js';
import { LimitError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import * as ops from '../../../src/ops/index.js';

async function dispatches(record: (graph: Graph) => void, software = true): Promise<DispatchStep[]> {
  const graph = new Graph('limits');
  record(graph);
  const { program } = lowerGraph(await prepareGraph(graph), Infinity, { software, decisions: new Map() });
  return program.steps.filter((step): step is DispatchStep => step.type === 'dispatch');
}

it('counts the end of a loop too', () => {
  expect(countLoop(3)).toBe(5);
  expect(countLoop(3, countLoop(2))).toBe(17);
});

it('the norm of many parameters takes more workgroups, also where few are faster', async () => {
  const workgroups = async (size: number): Promise<readonly number[]> => {
    const [first] = await dispatches((graph) =>
      graph.output('norm', ops.globalNorm([graph.input('x', [size])])),
    );
    return first!.workgroups;
  };
  expect(await workgroups(8 * 64 * 60_000)).toEqual([8, 1, 1]);
  expect(await workgroups(8 * 64 * 60_000 + 1)).toEqual([9, 1, 1]);
});

it('many rows or sums have one invocation each on software adapters, where it may loop that often', async () => {
  const lanes = async (rows: number, classes: number, software: boolean): Promise<unknown[]> => {
    const steps = await dispatches((graph) => {
      const x = graph.input('x', [rows, classes]);
      graph.output('softmax', ops.softmax(x));
      graph.output('sums', ops.sum(x, { axes: 1 }));
    }, software);
    return steps.map(({ parameters }) => parameters['lanes']);
  };
  expect(await lanes(32, 512, true)).toEqual([1, 1]);
  expect(await lanes(32, 512, false)).toEqual([64, 64]);
  expect(await lanes(31, 512, true)).toEqual([64, 1]);
  expect(await lanes(15, 511, true)).toEqual([1, 64]);
  expect(await lanes(32, 14_998, true)).toEqual([1, 1]);
  expect(await lanes(32, 14_999, true)).toEqual([64, 1]);
});

describe('refuses, before anything runs,', () => {
  const softmax = (classes: number) => () =>
    dispatches((graph) => graph.output('y', ops.softmax(graph.input('x', [1, classes]))));
  const draw = (classes: number, cuts: 1 | 2) => () =>
    dispatches((graph) => {
      const tokens = ops.drawTokens(graph.input('logits', [1, classes]), {
        temperature: graph.scalar('temperature'),
        topP: graph.scalar('topP'),
        ...(cuts === 2 && { topK: graph.scalar('topK', 'int32') }),
        seeds: graph.input('seeds', [1, 2], 'int32'),
        position: graph.scalar('position', 'int32'),
      });
      graph.output('tokens', tokens);
    });
  const ctc = (labels: number) => () =>
    dispatches((graph) => {
      const loss = ops.ctcLosses(
        {
          logProbabilities: graph.input('p', [3, 1, 2]),
          targets: graph.input('targets', [1, labels], 'int32'),
          inputLengths: graph.input('inputLengths', [1], 'int32'),
          targetLengths: graph.input('targetLengths', [1], 'int32'),
        },
        { blank: 0, zeroInfinity: false, perLabel: false },
      );
      graph.output('loss', loss);
    });

  it.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    ['rows of too many classes', softmax(959_872), softmax(959_873)],
    ['draws from too many tokens with both cuts', draw(2 ** 17, 2), draw(2 ** 18, 2)],
    ['draws from too many tokens with one cut', draw(2 ** 18, 1), draw(2 ** 19, 1)],
    ['targets of too many labels', ctc(29_998), ctc(29_999)],
  ])('%s', async (_, most, more) => {
    await most();
    await expect(more()).rejects.toThrow(LimitError);
  });
});
