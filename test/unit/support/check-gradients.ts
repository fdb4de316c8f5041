/** Gradient rules against central differences in float64, with random upstream gradients. */
import { expect } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { vectorJacobian } from '../../../src/ops/gradients.js';
import { TOLERANCES } from '../../support/tolerances.js';
import { expectClose, type Fed } from './evaluate.js';
import { randomArray, randomSource } from './random.js';

/** Half the width of a difference; its square and the rounding of float64 divided by it are both tiny. */
const STEP = 1e-5;

/** What to check. */
export interface GradientCheck<K extends string> {
  readonly inputs: Readonly<Record<K, Fed>>;
  /** Records what is differentiated: one value or more. */
  readonly record: (values: Readonly<Record<K, Value>>, graph: Graph) => readonly Value[];
  /** Inputs whose gradient is zero everywhere; of all others some element must not be. */
  readonly zero?: readonly string[];
}

/**
 * Checks the gradient of `Σ targets⊙upstream` by every real input. The plan first runs with other numbers,
 * so that an element which a function forgets to write shows as a wrong one.
 */
export async function checkGradients<K extends string>(check: GradientCheck<K>): Promise<void> {
  const { inputs, record, zero = [] } = check;
  const executor = new CpuExecutor({ precision: 'float64' });
  const random = randomSource(99);
  const names = Object.keys(inputs) as K[];
  const sources = names.filter((name) => !(inputs[name].data instanceof Int32Array));
  const declare = (graph: Graph): Record<K, Value> => {
    const values = {} as Record<K, Value>;
    for (const name of names) {
      const { shape, data } = inputs[name];
      values[name] = graph.input(name, shape, data instanceof Int32Array ? 'int32' : 'float32');
    }
    return values;
  };
  const feeds: Record<string, HostArray> = {};
  for (const name of names) feeds[name] = inputs[name].data.slice();

  const forward = new Graph('forward');
  const targets = record(declare(forward), forward);
  targets.forEach((target, i) => forward.output(`target${i}`, target));
  const forwardPlan = await executor.compile(forward);
  const targetNames = targets.map((_, i) => `target${i}`);
  const upstream = targets.map((target) => randomArray(random, target.size, -1, 1));
  const loss = async (): Promise<number> => {
    const { outputs } = await forwardPlan.run(feeds, { read: targetNames });
    let sum = 0;
    upstream.forEach((weights, i) => {
      const target = outputs[`target${i}`]!;
      weights.forEach((weight, k) => (sum += weight * target[k]!));
    });
    expect(Number.isFinite(sum), 'a finite loss').toBe(true);
    return sum;
  };

  const backward = new Graph('backward');
  const values = declare(backward);
  const recorded = record(values, backward);
  const upstreamValues = recorded.map((target, i) => backward.input(`upstream${i}`, target.shape));
  const gradientValues = vectorJacobian(
    recorded,
    upstreamValues,
    sources.map((name) => values[name]),
  );
  gradientValues.forEach((gradient, i) => backward.output(sources[i]!, gradient));
  const backwardPlan = await executor.compile(backward);
  const upstreamFeeds = Object.fromEntries(upstream.map((weights, i) => [`upstream${i}`, weights]));
  const otherFeeds = Object.fromEntries(
    upstream.map((weights, i) => [`upstream${i}`, weights.map((w) => 3 - w)]),
  );
  await backwardPlan.run({ ...feeds, ...otherFeeds });
  const { outputs: gradients } = await backwardPlan.run({ ...feeds, ...upstreamFeeds }, { read: sources });

  for (const name of sources) {
    const data = feeds[name]!;
    const differences = new Float64Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!;
      data[i] = value + STEP;
      const above = await loss();
      data[i] = value - STEP;
      const below = await loss();
      data[i] = value;
      differences[i] = (above - below) / (2 * STEP);
    }
    expectClose(gradients[name]!, differences, TOLERANCES.difference, `d ${name}`);
    const flat = gradients[name]!.every((gradient: number) => gradient === 0);
    expect(flat, `whether d ${name} is zero`).toBe(zero.includes(name));
  }
  executor.dispose();
}
