/** Trained networks whose device is lost while they read and write: the same logits on the next one, or on the CPU. */
import { CpuFrozenRunner } from '../../../src/cpu/frozen.js';
import { DeviceLostError, DisposedError } from '../../../src/graph/errors.js';
import type { FrozenNetwork, FrozenReader } from '../../../src/graph/frozen.js';
import { GpuFrozenRunner, type GpuFrozenOptions } from '../../../src/gpu/frozen.js';
import { loadTextGenerator } from '../../../src/inference.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { createFrozenNetwork } from '../frozen-network.js';
import { LosingGpu } from '../losing-gpu.js';
import { check } from '../check.js';

const V = 9;
/** Two layers of LSTM, so that there are an h and a c of each to lose. */
const NETWORK: FrozenNetwork = createFrozenNetwork('lstm', 'tanh', { V, E: 4, H: 20, L: 2 });

async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
}

/** Reads five tokens, waits, reads two, and then writes: logits of all that is written. */
async function write(
  reader: FrozenReader,
  disturb: (token: number) => void = () => undefined,
): Promise<number[]> {
  const logits: number[] = [];
  for (let t = 0; t < 16; t++) {
    disturb(t);
    const token = (t * 5 + 3) % V;
    if (t < 7) reader.advance(token);
    else logits.push(...Array.from(await reader.predict(token)));
    if (t === 4) await reader.synchronize();
  }
  return logits;
}

async function begin(gpu: GPU, { recovery, ...more }: GpuFrozenOptions = {}) {
  const losing = new LosingGpu(gpu);
  const options = { gpu: losing.gpu, recovery: recovery ?? { attempts: 100, delay: 0 }, ...more };
  return { losing, runner: await GpuFrozenRunner.create(NETWORK, options) };
}

export const cases: readonly GpuCase[] = [
  {
    name: 'logits are the same to the bit wherever the device is lost',
    async run({ gpu }) {
      const { losing, runner } = await begin(gpu);
      const wanted = await write(runner.start());
      const from = losing.calls.length;
      await write(runner.start());
      const calls = losing.calls.slice(from);
      // The first call of each name, and the last.
      const places = new Set(
        [...new Set(calls)].flatMap((name) => [calls.indexOf(name), calls.lastIndexOf(name)]),
      );
      check(places.size >= 8, `${places.size} places are too few to be all`);
      for (const place of places) {
        const before = losing.devices;
        const at = losing.calls.length + place + 1;
        losing.loses = (_, count) => count === at;
        const reader = runner.start();
        expectClose(await write(reader), wanted, TOLERANCES.exact, `lost at ${calls[place]!}`);
        reader.dispose();
        check(losing.devices === before + 1, `${losing.devices - before} devices at ${calls[place]!}`);
      }
      // Two writers, and devices that are lost while the weights go there.
      losing.schedule.push(['createBuffer', 2], ['writeBuffer', 3]);
      losing.loseAt('mapAsync', 5);
      const before = losing.devices;
      const both = await Promise.all([write(runner.start()), write(runner.start())]);
      for (const logits of both) expectClose(logits, wanted, TOLERANCES.exact, 'of two');
      check(losing.devices === before + 3, `${losing.devices - before} devices`);
      runner.dispose();
    },
  },
  {
    name: 'the first device may be lost before the weights are there',
    async run({ gpu }) {
      const losing = new LosingGpu(gpu);
      losing.schedule.push(['createComputePipelineAsync', 1], ['createBuffer', 2]);
      const told: string[] = [];
      const runner = await GpuFrozenRunner.create(NETWORK, {
        gpu: losing.gpu,
        recovery: { delay: 0, onLost: () => told.push('lost'), onRecovered: () => told.push('recovered') },
      });
      expectClose(
        await write(runner.start()),
        await write(new CpuFrozenRunner(NETWORK).start()),
        TOLERANCES.result,
        'logits',
      );
      check(losing.devices === 3, `${losing.devices} devices`);
      check(/^lost(,lost)?,recovered(,lost,recovered)?$/.test(told.join()), told.join());
      runner.dispose();
    },
  },
  {
    name: 'where no other device comes it ends with a typed error, or the CPU goes on from the same states',
    async run({ gpu }) {
      const wanted = await write(new CpuFrozenRunner(NETWORK).start());
      const recovery = { attempts: 3, delay: 0 };
      for (const fallback of [null, () => new CpuFrozenRunner(NETWORK)]) {
        const { losing, runner } = await begin(gpu, { recovery, fallback });
        losing.refusals = Infinity;
        const lose = (t: number): void => {
          if (t === 11) losing.loseAt('submit');
        };
        const reader = runner.start();
        const outcome = write(reader, lose);
        if (fallback) {
          expectClose(await outcome, wanted, TOLERANCES.result, 'logits');
          expectClose(await write(runner.start()), wanted, TOLERANCES.result, 'logits of a later reader');
          check(runner.description === 'cpu', runner.description);
        } else {
          for (const error of [await rejection(outcome), await rejection(reader.predict(1))]) {
            check(error instanceof DeviceLostError && error.final && error.losses === 1, String(error));
          }
        }
        check(losing.asked === 4, `${losing.asked} adapters were asked for`);
        reader.dispose();
        runner.dispose();
        check((await rejection(reader.predict(1))) instanceof DisposedError, 'a disposed runner reads');
      }
      const { losing, runner } = await begin(gpu, {
        recovery: false,
        fallback: () => new CpuFrozenRunner(NETWORK),
      });
      losing.loseAt('submit');
      check((await rejection(write(runner.start()))) instanceof DeviceLostError, 'it was recovered');
      check(losing.asked === 1, `${losing.asked} adapters were asked for`);
      runner.dispose();
    },
  },
  {
    name: 'what is disposed while another device is on its way takes none',
    async run({ gpu }) {
      const { losing, runner } = await begin(gpu);
      const reader = runner.start();
      await reader.predict(1);
      let give!: (device: GPUDevice) => void;
      const given = new Promise<GPUDevice>((resolve) => (give = resolve));
      const requestAdapter = losing.gpu.requestAdapter.bind(losing.gpu);
      losing.gpu.requestAdapter = async () => {
        runner.dispose();
        const adapter = (await requestAdapter())!;
        const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
          const device = await adapter.requestDevice(descriptor);
          give(device);
          return device;
        };
        const { limits, features, info } = adapter;
        return { limits, features, info, requestDevice } as unknown as GPUAdapter;
      };
      losing.loseAt('submit');
      check((await rejection(reader.predict(2))) instanceof DisposedError, 'it answered');
      await (
        await given
      ).lost;
    },
  },
  {
    name: 'a text goes on to the same characters, on devices of the application',
    async run({ gpu, executor }) {
      const model = CharacterModel.create({
        executor,
        text: 'der mond ist aufgegangen',
        hiddenSize: 12,
        seed: 2,
      });
      const losing = new LosingGpu(gpu);
      const device = async (): Promise<GPUDevice> => (await losing.gpu.requestAdapter())!.requestDevice();
      const recovery = { device, delay: 0 };
      const file = await model.save();
      model.dispose();
      const generator = await loadTextGenerator(file, { device: await device(), recovery });
      const text = async (disturb: boolean): Promise<string> => {
        let written = '';
        for await (const character of generator.generate({ prompt: 'der mond ist ', length: 30, seed: 1 })) {
          written += character;
          if (disturb && written.length % 8 === 3) losing.loseAt('submit', 2);
        }
        return written;
      };
      const wanted = await text(false);
      const { devices } = losing;
      const actual = await text(true);
      check(actual === wanted, `"${actual}" is not "${wanted}"`);
      check(losing.devices === devices + 4, `${losing.devices - devices} devices`);
      generator.dispose();
    },
  },
];
