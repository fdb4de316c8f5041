/** Recording a few operations, running them on the CPU and comparing what comes out. */
import { CpuExecutor } from '../../../src/cpu/executor.js';
import type { Precision } from '../../../src/cpu/storage.js';
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import type { Shape } from '../../../src/graph/shape.js';
import { expectClose as compareClosely } from '../../support/compare.js';
import { TOLERANCES, type Tolerance } from '../../support/tolerances.js';

/** An input with its numbers; an `Int32Array` makes it an int32 input. */
export interface Fed {
  readonly shape: Shape;
  readonly data: HostArray;
}

/** Real numbers with a shape. */
export function real(shape: Shape, numbers: ArrayLike<number>): Fed {
  return { shape, data: Float64Array.from(numbers) };
}

/** Whole numbers with a shape. */
export function whole(shape: Shape, numbers: ArrayLike<number>): Fed {
  return { shape, data: Int32Array.from(numbers) };
}

/** Records with the inputs, runs once, and gives every value that `record` returns. */
export async function evaluate<K extends string>(
  inputs: Readonly<Record<K, Fed>>,
  record: (values: Readonly<Record<K, Value>>, graph: Graph) => readonly Value[],
  precision: Precision = 'float64',
): Promise<HostArray[]> {
  const executor = new CpuExecutor({ precision });
  const graph = new Graph('test');
  const values = {} as Record<K, Value>;
  const feeds: Record<string, HostArray> = {};
  for (const name of Object.keys(inputs) as K[]) {
    const { shape, data } = inputs[name];
    values[name] = graph.input(name, shape, data instanceof Int32Array ? 'int32' : 'float32');
    feeds[name] = data;
  }
  const names = record(values, graph).map((value, i) => {
    graph.output(`result${i}`, value);
    return `result${i}`;
  });
  const plan = await executor.compile(graph);
  const { outputs } = await plan.run(feeds, { read: names });
  executor.dispose();
  return names.map((name) => outputs[name]!);
}

/** Asserts that all numbers are finite and as close as the table of tolerances says float64 results are. */
export function expectClose(
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: Tolerance = TOLERANCES.float64,
  what = 'result',
): void {
  compareClosely(got, wanted, tolerance, what);
}
