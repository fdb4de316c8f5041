/** The random networks: what is drawn can be built, repeated from one line, and made smaller when it fails. */
import { expect, it } from 'vitest';
import { compareWithReference } from '../../gpu/random/sensitive-compare.js';
import {
  describeConfiguration,
  drawConfiguration,
  parseConfiguration,
  simplerThan,
  type Configuration,
} from '../../gpu/random/configuration.js';
import { createNetwork } from '../../gpu/random/network.js';
import { searchConfigurations, type SearchContext } from '../../gpu/random/search.js';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import { mul, sub } from '../../../src/ops/binary.js';
import { relu } from '../../../src/ops/unary.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuContext } from '../../gpu/case.js';

const drawn = Array.from({ length: 200 }, (_, i) => drawConfiguration(3, i));

it('draws what can be built, the same from the same seed', () => {
  for (const [i, configuration] of drawn.entries()) {
    expect(createNetwork(configuration).graph.outputs.length).toBeGreaterThan(3);
    expect(drawConfiguration(3, i)).toEqual(configuration);
    expect(parseConfiguration(describeConfiguration(configuration))).toEqual(configuration);
  }
  expect(new Set(drawn.map(describeConfiguration)).size).toBe(drawn.length);
});

it('draws every cell, option, loss and optimizer, at small and large sizes', () => {
  const values = (name: keyof Configuration): Set<unknown> => new Set(drawn.map((one) => one[name]));
  expect(values('cell').size).toBe(3);
  expect(values('loss').size).toBe(6);
  expect(values('optimizer').size).toBe(9);
  for (const size of ['T', 'B', 'I', 'H'] as const) {
    expect(Math.min(...drawn.map((one) => one[size]))).toBe(1);
    expect(Math.max(...drawn.map((one) => one[size]))).toBeGreaterThan(size === 'T' ? 30 : 60);
  }
  for (const name of ['projection', 'peephole', 'coupled', 'layerNorm', 'before', 'vocabulary'] as const) {
    expect(values(name).size).toBeGreaterThan(1);
  }
});

it('makes whatever can be built simpler by what can be built', () => {
  for (const configuration of drawn.slice(0, 20)) {
    for (const simpler of simplerThan(configuration)) {
      expect(simpler).not.toEqual(configuration);
      expect(() => createNetwork(simpler)).not.toThrow();
    }
  }
});

it('tells the smallest configuration that fails', async () => {
  const device = { pushErrorScope: () => undefined, popErrorScope: () => Promise.resolve(null) };
  const context: SearchContext = {
    device,
    check: ({ H, layers = 1 }) =>
      H > 4 && layers > 1 ? Promise.reject(new Error('wrong')) : Promise.resolve({ sensitive: false }),
  };
  const message = await searchConfigurations(context, { seed: 1, from: 0, count: 60 }).then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
  const told = /--configuration '(.*)'/.exec(message)![1]!;
  const smallest = { cell: 'rnn', T: 1, B: 1, I: 1, H: 5, C: 1, layers: 2 };
  expect(parseConfiguration(told)).toEqual({ ...smallest, loss: 'squared', optimizer: 'SGD', seed: 1 });
  expect(message).toContain('wrong');
});

it('counts what an adapter refuses as a failure', async () => {
  const popErrorScope = (): Promise<GPUError> => Promise.resolve({ message: 'a bad binding' } as GPUError);
  const device = { pushErrorScope: () => undefined, popErrorScope };
  const context: SearchContext = { device, check: () => Promise.resolve({ sensitive: false }) };
  await expect(searchConfigurations(context, { seed: 1, from: 0, count: 1 })).rejects.toThrow(
    'a bad binding',
  );
});

it('gives way at a kink as far as rounding reaches, and nowhere else', async () => {
  const context = { reference: () => new CpuExecutor({ precision: 'float64' }) } as unknown as GpuContext;
  const graph = new Graph('kink');
  graph.output('y', relu(mul(sub(graph.input('x', [1]), 1), 1e6)));
  const compare = (x: number, y: number): Promise<boolean> =>
    compareWithReference(
      context,
      { graph, data: { x: Float64Array.of(x) } },
      new Map([['y', Float64Array.of(y)]]),
      () => TOLERANCES.result,
    );
  expect(await compare(0.9, 0)).toBe(false);
  expect(await compare(1, 0.3)).toBe(true);
  await expect(compare(1, 3)).rejects.toThrow('y: error');
  await expect(compare(0.9, 0.3)).rejects.toThrow('y: error');
});
