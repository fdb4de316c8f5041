/** What the CPU has no memory for: refused by name before anything is allocated, or taken back whole. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { LimitError, OutOfMemoryError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import { matmul } from '../../../src/ops/matmul.js';
import { mul } from '../../../src/ops/binary.js';
import { sum } from '../../../src/ops/reduce-sum.js';

afterEach(() => vi.unstubAllGlobals());

/** `w ← 2·w·x`, with a history of its sum. */
function doubling(w: Variable): Graph {
  const graph = new Graph('doubling');
  const y = mul(mul(graph.read(w), graph.input('x', [3])), 2);
  graph.output('y', y);
  graph.output('total', sum(y), { history: true });
  graph.update(w, y);
  return graph;
}

function threes(): Variable {
  return new Variable({ name: 'w', shape: [3], initial: () => Float32Array.of(1, 2, 3) });
}

/** Lets the n-th array of real numbers from now on fail, as where there is no memory. */
function failingAt(n: number): { readonly made: () => number } {
  let made = 0;
  const failing = new Proxy(Float32Array, {
    construct(target, parameters: [number]) {
      if (++made === n) throw new RangeError('Array buffer allocation failed');
      return new target(...parameters);
    },
  });
  vi.stubGlobal('Float32Array', failing);
  return { made: () => made };
}

describe('absurd sizes', () => {
  it('are refused by name when a graph is compiled', async () => {
    const executor = new CpuExecutor();
    const graph = new Graph('huge');
    const side = 2 ** 17;
    graph.output('y', matmul(graph.input('x', [side, 1]), graph.input('z', [1, side])));
    await expect(executor.compile(graph)).rejects.toThrow(LimitError);
    await expect(executor.compile(graph)).rejects.toThrow(
      /matmul: its result \[131072,131072\] holds 17179869184 numbers, an array holds at most 2147483647; use a smaller/,
    );
    expect(executor.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
  });
});

describe('an allocation that fails', () => {
  it('leaves all as it was, wherever it is', async () => {
    let failures = 0;
    for (let n = 1; ; n++) {
      const executor = new CpuExecutor();
      const w = threes();
      const x = Float32Array.of(1, 1, 1);
      const before = executor.memory();
      const life = failingAt(n);
      let plan;
      try {
        plan = await executor.compile(doubling(w));
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemoryError);
        expect(executor.memory()).toEqual(before);
        vi.unstubAllGlobals();
        failures++;
        continue;
      }
      const { bytesInUse } = executor.memory();
      try {
        await plan.run({ x }, { read: ['y'], history: true });
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemoryError);
        expect((error as OutOfMemoryError).message).toMatch(/plan "doubling": memory of the host could not/);
        vi.unstubAllGlobals();
        failures++;
        expect(executor.memory()).toEqual({ bytesInUse, bytesAllocated: bytesInUse });
        // Nothing was counted, nothing has changed.
        const { outputs, history } = await plan.run({ x }, { read: ['y'], history: true });
        expect([...outputs['y']!]).toEqual([2, 4, 6]);
        expect([...history['total']!]).toEqual([12]);
        continue;
      }
      vi.unstubAllGlobals();
      expect(life.made()).toBeLessThan(n);
      break;
    }
    expect(failures).toBeGreaterThan(3);
  });
});
