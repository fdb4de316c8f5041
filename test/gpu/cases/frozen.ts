/** Trained networks token by token: WebGPU against the plain loops, over awkward sizes, and what is freed. */
import { CpuFrozenRunner } from '../../../src/cpu/frozen.js';
import type { FrozenNetwork, FrozenReader } from '../../../src/graph/frozen.js';
import type { WeightPrecision } from '../../../src/gpu/device.js';
import { GpuFrozenRunner } from '../../../src/gpu/frozen.js';
import { expectClose } from '../../support/compare.js';
import { roundToFloat16 } from '../../support/float16.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { randomArray } from '../compare-executors.js';
import { createFrozenNetwork, type FrozenSizes } from '../frozen-network.js';

/** Reads some tokens, asking for the logits of some only. */
async function read(reader: FrozenReader, V: number): Promise<number[]> {
  const logits: number[] = [];
  for (let t = 0; t < 7; t++) {
    const token = (t * 5 + 3) % V;
    if (t % 3 === 1) reader.advance(token);
    else logits.push(...Array.from(await reader.predict(token)));
  }
  await reader.synchronize();
  return logits;
}

const SIZES: readonly FrozenSizes[] = [
  { V: 1, E: 1, H: 1, L: 1 },
  { V: 5, E: 3, H: 64, L: 2 },
  { V: 67, E: 65, H: 131, L: 1 },
  { V: 11, E: 70, H: 13, L: 3 },
];

const KINDS = [
  ['lstm', 'tanh'],
  ['gru', 'tanh'],
  ['rnn', 'tanh'],
  ['rnn', 'relu'],
] as const;

/** The matrices of a network as float16 holds them. */
function rounded(network: FrozenNetwork): FrozenNetwork {
  const round = (array: Float32Array): Float32Array => array.map(roundToFloat16);
  return {
    ...network,
    layers: network.layers.map((layer) => ({
      ...layer,
      weightIh: round(layer.weightIh),
      weightHh: round(layer.weightHh),
    })),
    outputWeight: round(network.outputWeight),
  };
}

function reading(
  [cell, nonlinearity]: (typeof KINDS)[number],
  sizes: FrozenSizes,
  weightPrecision: WeightPrecision = 'float32',
): GpuCase {
  const { V, E, H, L } = sizes;
  const halved = weightPrecision === 'float16';
  return {
    name: `${cell} ${nonlinearity}, V ${V}, E ${E}, H ${H}, L ${L}${halved ? ', weights of float16' : ''}`,
    async run({ executor: { device } }) {
      const network = createFrozenNetwork(cell, nonlinearity, sizes);
      const runner = await GpuFrozenRunner.create(network, { device, weightPrecision });
      const wanted = await read(new CpuFrozenRunner(halved ? rounded(network) : network).start(), V);
      expectClose(await read(runner.start(), V), wanted, TOLERANCES.result, 'logits');
      runner.dispose();
    },
  };
}

export const cases: readonly GpuCase[] = [
  ...KINDS.flatMap((kind) => SIZES.map((sizes) => reading(kind, sizes))),
  ...[KINDS[0], KINDS[1]].flatMap((kind) => SIZES.slice(2).map((sizes) => reading(kind, sizes, 'float16'))),
  {
    name: 'a reader begins with the states that it is given',
    async run({ executor }) {
      const [H, L] = [13, 2];
      const network = createFrozenNetwork('lstm', 'tanh', { V: 9, E: 4, H, L });
      const runner = await GpuFrozenRunner.create(network, { device: executor.device });
      const states = [1, 2].map((l) => ({ h: randomArray(H, l), c: randomArray(H, 10 * l) }));
      const wanted = await read(new CpuFrozenRunner(network).start(states), 9);
      expectClose(await read(runner.start(states), 9), wanted, TOLERANCES.result, 'logits');
      runner.dispose();
    },
  },
  {
    name: 'readers have states of their own, and begin with zeros',
    async run({ executor }) {
      const network = createFrozenNetwork('lstm', 'tanh', { V: 9, E: 4, H: 20, L: 2 });
      const runner = await GpuFrozenRunner.create(network, { device: executor.device });
      const first = runner.start();
      const before = await read(first, 9);
      const [a, b] = await Promise.all([read(runner.start(), 9), read(runner.start(), 9)]);
      expectClose(a, before, TOLERANCES.exact, 'first beside second');
      expectClose(b, before, TOLERANCES.exact, 'second beside first');
      first.dispose();
      expectClose(await read(runner.start(), 9), before, TOLERANCES.exact, 'after one was freed');
      runner.dispose();
      try {
        runner.start();
      } catch {
        return;
      }
      throw new Error('a disposed runner starts a reader');
    },
  },
];
