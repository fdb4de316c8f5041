/** A graph for one check of the self-test, with the numbers that it is fed: the same ones each time. */
import { Graph } from '../../graph/graph.js';
import { sizeOf, type Shape } from '../../graph/shape.js';
import type { HostArray, Value } from '../../graph/value.js';
import { add, mul } from '../../ops/binary.js';
import { gradients } from '../../ops/gradients.js';
import { sum } from '../../ops/reduce-sum.js';

/** Records a check. */
export class Exercise {
  readonly graph = new Graph('self-test');
  readonly feeds: Record<string, HostArray | number> = {};
  #state = 1;

  /** An input of numbers from `low` to `high`; multiples of `unit` where that is given. */
  real(shape: Shape, low = -1, high = 1, unit = 0): Value {
    const draw = (): number => low + (high - low) * this.#draw();
    const rounded = (): number => Math.trunc(draw() / unit) * unit;
    return this.#feed(shape, Float32Array.from({ length: sizeOf(shape) }, unit > 0 ? rounded : draw));
  }

  /** An int32 input of whole numbers from `low` to below `high`. */
  whole(shape: Shape, high: number, low = 0): Value {
    const draw = (): number => low + Math.floor((high - low) * this.#draw());
    return this.#feed(shape, Int32Array.from({ length: sizeOf(shape) }, draw));
  }

  /** Makes outputs of some values and, where there are sources, of the gradients of their weighted sum by these. */
  compare(values: readonly Value[], sources: readonly Value[] = []): void {
    const output = (value: Value): void => this.graph.output(`output ${this.graph.outputs.length}`, value);
    values.forEach(output);
    if (sources.length === 0) return;
    const loss = values.map((value) => sum(mul(value, this.real(value.shape)))).reduce((a, b) => add(a, b));
    gradients(loss, sources).forEach(output);
  }

  /** A linear congruential generator's next, from 0 to 1. */
  #draw(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }

  #feed(shape: Shape, numbers: Float32Array | Int32Array): Value {
    const name = `input ${this.graph.inputs.length}`;
    this.feeds[name] = numbers;
    return this.graph.input(name, shape, numbers instanceof Int32Array ? 'int32' : 'float32');
  }
}
