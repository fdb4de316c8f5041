/** Runs recordings and loads parameters, for tests of layers. */
import { expect } from 'vitest';
import type { CpuExecutor } from '../../../src/cpu/executor.js';
import type { Feeds } from '../../../src/graph/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import type { Module } from '../../../src/nn/module.js';

/** Runs one recording once and gives its outputs. */
export async function run(
  executor: CpuExecutor,
  record: (graph: Graph) => Readonly<Record<string, Value>>,
  feeds: Feeds = {},
): Promise<Readonly<Record<string, HostArray>>> {
  const graph = new Graph('test');
  const outputs = record(graph);
  for (const [name, value] of Object.entries(outputs)) graph.output(name, value);
  const plan = await executor.compile(graph);
  return (await plan.run(feeds, { read: Object.keys(outputs) })).outputs;
}

/** Gives `to` the parameters of `from` whose names `rename` maps to one of its own. */
export async function copyParameters(
  executor: CpuExecutor,
  from: Module,
  to: Module,
  rename: (name: string) => string | null,
): Promise<void> {
  const state = await from.state(executor);
  const renamed = [...state].flatMap(([name, tensor]) => {
    const other = rename(name);
    return other === null ? [] : [[other, tensor] as const];
  });
  to.loadState(executor, new Map(renamed));
}

/** Equal to six digits. */
export function expectEach(actual: ArrayLike<number> | undefined, expected: ArrayLike<number>): void {
  expect(actual?.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual![i], `element ${i}`).toBeCloseTo(expected[i]!, 6);
}

/** Smooth numbers that differ from one another. */
export function wave(size: number, phase = 0): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(1.7 * i + phase));
}
