/** A training that is saved, restored elsewhere and goes on gives the same losses and weights to the last bit. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import type { RnnError } from '../../../src/graph/errors.js';
import { ArgumentError, FormatError, NonFiniteError, ShapeError } from '../../../src/graph/errors.js';
import { CheckpointReader, CheckpointWriter } from '../../../src/io/checkpoint.js';
import { parseSafetensors, writeSafetensors } from '../../../src/io/safetensors.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { applyDropout } from '../../../src/nn/dropout.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { LSTM } from '../../../src/nn/recurrent.js';
import { Adagrad } from '../../../src/optim/adagrad.js';
import { AdamW } from '../../../src/optim/adam.js';
import { NAdam } from '../../../src/optim/nadam.js';
import type { Optimizer } from '../../../src/optim/optimizer.js';
import { cosineSchedule, ReduceOnPlateau, warmupSchedule } from '../../../src/optim/schedules.js';
import { SGD } from '../../../src/optim/sgd.js';
import { ExponentialMovingAverage } from '../../../src/train/moving-average.js';
import { Trainer, type Batch } from '../../../src/train/trainer.js';

interface Setup {
  readonly optimizer: () => Optimizer;
  readonly accumulate?: number;
  readonly average?: boolean;
  readonly seed?: number;
  readonly hiddenSize?: number;
}

const TIME = 4;
const BATCH = 3;

/** A recurrent net with dropout and carried state, on an executor of its own. */
function create({ optimizer, accumulate = 1, average = false, seed = 5, hiddenSize = 6 }: Setup) {
  const executor = new CpuExecutor({ precision: 'float32' });
  const net = new ModuleDict({
    rnn: new LSTM({ inputSize: 2, hiddenSize, seed: 1 }),
    output: new Linear({ inputSize: hiddenSize, outputSize: 1, seed: 2 }),
  });
  const carried = net.modules.rnn.createState(BATCH);
  const averages = new ExponentialMovingAverage({ executor, parameters: net, decay: 0.8 });
  const trainer = new Trainer({
    executor,
    parameters: net,
    optimizer: optimizer(),
    clipNorm: 1,
    clipValue: 0.2,
    seed,
    accumulate,
    variables: carried.variables,
    ...(average && { average: averages }),
    record: (graph, { x, y }, context) => {
      const run = net.modules.rnn.forward(x!, carried.read(graph), context);
      carried.update(graph, run.state);
      const hidden = applyDropout(run.output, 0.3, context, 'dropout');
      return meanSquaredError(net.modules.output.forward(hidden), y!);
    },
  });
  return { executor, net, trainer, averages };
}

function batch(step: number): Batch {
  const x = Float32Array.from({ length: TIME * BATCH * 2 }, (_, i) => Math.sin(i * 0.7 + step));
  const y = Float32Array.from({ length: TIME * BATCH }, (_, i) => Math.cos(i * 0.3 + step));
  return { x: { shape: [TIME, BATCH, 2], data: x }, y: { shape: [TIME, BATCH, 1], data: y } };
}

async function train({ trainer }: ReturnType<typeof create>, from: number, to: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step <= to; step++) {
    const { outputs } = await trainer.step(batch(step), { read: ['loss'] });
    const loss = outputs['loss']![0]!;
    losses.push(loss);
    trainer.optimizer.adaptiveSchedule?.observe(loss > 0.3 ? 1 : loss);
  }
  return losses;
}

const SETUPS: [string, Setup][] = [
  ['SGD with momentum', { optimizer: () => new SGD({ learningRate: 0.1, momentum: 0.9 }) }],
  [
    'AdamW in groups, on a schedule',
    {
      optimizer: () =>
        new AdamW({
          learningRate: warmupSchedule({ steps: 4, then: cosineSchedule({ initial: 0.02, steps: 9 }) }),
          groups: [{ match: /bias/, weightDecay: 0, learningRateFactor: 0.5 }],
        }),
    },
  ],
  [
    'NAdam that waits for a plateau',
    {
      optimizer: () =>
        new NAdam({ learningRate: new ReduceOnPlateau({ initial: 0.05, factor: 0.5, patience: 2 }) }),
    },
  ],
  ['gathering gradients', { optimizer: () => new AdamW({ learningRate: 0.02 }), accumulate: 3 }],
  [
    'with averages',
    { optimizer: () => new Adagrad({ initialAccumulatorValue: 0.1 }), average: true, accumulate: 2 },
  ],
];

describe('Trainer.checkpoint', () => {
  it.each(SETUPS)('%s: interrupted anywhere, it goes on to the bit', async (_, setup) => {
    const whole = create(setup);
    const losses = await train(whole, 1, 12);
    const state = await whole.net.state(whole.executor);
    for (const cut of [0, 1, 5, 6]) {
      const first = create(setup);
      await train(first, 1, cut);
      const bytes = await first.trainer.checkpoint();
      const second = create({ ...setup, seed: 77 });
      // Something else has happened there before.
      await train(second, 40, 42);
      await second.trainer.restore(bytes);
      expect(second.trainer.steps).toBe(cut);
      expect(await train(second, cut + 1, 12)).toEqual(losses.slice(cut));
      expect(await second.net.state(second.executor)).toEqual(state);
      expect(await second.trainer.checkpoint()).toEqual(await whole.trainer.checkpoint());
    }
  });

  it('is of one step boundary, even when steps are called beside it', async () => {
    const setup = SETUPS[0]![1];
    const apart = create(setup);
    await train(apart, 1, 3);
    const expected = await apart.trainer.checkpoint();
    const { trainer } = create(setup);
    const steps = [1, 2, 3].map((step) => trainer.step(batch(step)));
    const bytes = trainer.checkpoint();
    steps.push(trainer.step(batch(4)));
    await Promise.all(steps);
    expect(await bytes).toEqual(expected);
  });

  it('drops losses of steps that a restoring has undone', async () => {
    const { trainer } = create(SETUPS[0]![1]);
    const bytes = await trainer.checkpoint();
    for (let step = 1; step <= 20; step++) await trainer.step(batch(step));
    await trainer.restore(bytes);
    expect(trainer.unreported).toBe(0);
    const { records } = await trainer.step(batch(1), { flush: true });
    expect(records.map(({ step }) => step)).toEqual([1]);
  });

  it('in float64 keeps all 64 bits', async () => {
    const layer = (): Linear => new Linear({ inputSize: 1, outputSize: 1, seed: 3 });
    const run = async (cut: number) => {
      const losses: number[] = [];
      let bytes: Uint8Array | null = null;
      for (const [from, to] of [
        [1, cut],
        [cut + 1, 6],
      ] as const) {
        const net = layer();
        const trainer = new Trainer({
          executor: new CpuExecutor({ precision: 'float64' }),
          parameters: net,
          optimizer: new AdamW({ learningRate: 0.1 }),
          record: (_graph, { x }) => meanSquaredError(net.forward(x!), x!),
        });
        if (bytes) await trainer.restore(bytes);
        for (let step = from; step <= to; step++) {
          const x = { shape: [2, 1], data: Float64Array.of(0.1 * step, -1 / 3) };
          losses.push((await trainer.step({ x }, { read: ['loss'] })).outputs['loss']![0]!);
        }
        bytes = await trainer.checkpoint();
      }
      return losses;
    };
    expect(await run(2)).toEqual(await run(6));
  });

  type Change = (
    tensors: Map<string, { shape: readonly number[]; data: Float32Array }>,
    state: Record<string, unknown>,
    metadata: Map<string, string>,
  ) => void;
  const damages: [string, Change, new (...args: never[]) => RnnError, RegExp][] = [
    ['another version', (_t, _s, m) => m.set('format', 'webgpu-rnn-checkpoint-9'), FormatError, /format: is/],
    ['another kind', (_t, _s, m) => m.set('kind', 'model'), FormatError, /kind: is "model"/],
    ['no state', (_t, _s, m) => m.set('state', '3'), FormatError, /state: is not an object/],
    [
      'a missing parameter',
      (t) => t.delete('model.output.bias'),
      FormatError,
      /"model.output.bias".*missing/,
    ],
    ['a missing moment', (t) => t.delete('optimizer.momentum_buffer.output.bias'), FormatError, /missing/],
    [
      'a tensor too many',
      (t) => t.set('model.extra', { shape: [1], data: Float32Array.of(1) }),
      FormatError,
      /model.extra.*not known/,
    ],
    [
      'a wrong shape',
      (t) => t.set('model.output.bias', { shape: [2], data: new Float32Array(2) }),
      ShapeError,
      /model.output.bias/,
    ],
    ['NaN', (t) => t.get('variable.h')!.data.fill(NaN, 1, 2), NonFiniteError, /variable.h.*element 1 is NaN/],
    ['step −1', (_t, s) => (s.step = -1), FormatError, /step: is -1/],
    ['a clipNorm that is text', (_t, s) => (s.clipNorm = 'a'), FormatError, /clipNorm: is "a"/],
    ['no learning rate', (_t, s) => delete s.learningRate, FormatError, /learningRate: is missing/],
    ['a setting too many', (_t, s) => (s.more = 1), FormatError, /more: is not known/],
    ['a schedule that nobody follows', (_t, s) => (s.schedule = {}), FormatError, /schedule/],
    ['gathered gradients', (_t, s) => (s.accumulate = 2), FormatError, /accumulate: is 2/],
    ['another optimizer', (_t, s) => (s.optimizer = 'Adam'), FormatError, /optimizer: is Adam/],
  ];
  it.each(damages)('refuses %s, and changes nothing', async (_, damage, type, message) => {
    const setup = SETUPS[0]![1];
    const source = create(setup);
    await train(source, 1, 2);
    const { tensors, metadata } = parseSafetensors(await source.trainer.checkpoint());
    const state = JSON.parse(metadata.get('state')!) as Record<string, unknown>;
    const before = metadata.get('state');
    damage(tensors as never, state, metadata);
    if (metadata.get('state') === before) metadata.set('state', JSON.stringify(state));
    const bytes = writeSafetensors(tensors, metadata);
    const target = create(setup);
    await train(target, 7, 8);
    const kept = await target.trainer.checkpoint();
    await expect(target.trainer.restore(bytes)).rejects.toThrow(message);
    await expect(target.trainer.restore(bytes)).rejects.toBeInstanceOf(type);
    expect(await target.trainer.checkpoint()).toEqual(kept);
  });

  it('refuses a checkpoint of other settings or sizes', async () => {
    const { trainer } = create({ optimizer: () => new SGD({ learningRate: 0.1, momentum: 0.9 }) });
    const bytes = await trainer.checkpoint();
    const others: [Setup, RegExp][] = [
      [{ optimizer: () => new SGD({ momentum: 0.8 }) }, /optimizer: is/],
      [{ optimizer: () => new AdamW() }, /optimizer: is/],
      [{ optimizer: () => new SGD({ momentum: 0.9 }), accumulate: 2 }, /accumulate: is 1/],
      [{ optimizer: () => new SGD({ momentum: 0.9 }), average: true }, /average.counters.*missing/],
      [{ optimizer: () => new SGD({ momentum: 0.9 }), hiddenSize: 7 }, /weight_ih_l0/],
    ];
    for (const [setup, message] of others) {
      await expect(create(setup).trainer.restore(bytes)).rejects.toThrow(message);
    }
    await expect(trainer.restore(new Uint8Array(9))).rejects.toThrow(FormatError);
    const plateau = create(SETUPS[2]![1]);
    const { tensors, metadata } = parseSafetensors(await plateau.trainer.checkpoint());
    metadata.set('state', metadata.get('state')!.replace('"scale":1', '"scale":7'));
    const damaged = writeSafetensors(tensors, metadata);
    await expect(plateau.trainer.restore(damaged)).rejects.toThrow(/ReduceOnPlateau, state/);
  });

  it('is refused while averages are in the place of the weights, and so is a step', async () => {
    const { trainer, averages } = create({ ...SETUPS[4]![1], accumulate: 1 });
    await trainer.step(batch(1));
    await averages.during(async () => {
      await expect(trainer.checkpoint()).rejects.toThrow(ArgumentError);
      await expect(trainer.step(batch(2))).rejects.toThrow(/trained while averages/);
    });
    await trainer.checkpoint();
    expect(trainer.steps).toBe(1);
  });
});

describe('checkpoint files', () => {
  it('hand out lists with any number, and nothing twice', () => {
    const writer = new CheckpointWriter('test');
    writer.field('counts', { a: 1, b: -0.5 });
    writer.field('name', 'x');
    writer.tensor('losses', { shape: [3], data: Float64Array.of(1, NaN, Infinity) });
    const reader = new CheckpointReader(writer.toBytes(), 'test');
    expect(reader.numbers('counts')).toEqual({ a: 1, b: -0.5 });
    expect(reader.list('losses')).toEqual([1, NaN, Infinity]);
    expect(() => reader.finish()).toThrow(/name: is not known here/);
    expect(() => reader.whole('name')).toThrow(/name: is "x", not a whole number/);
    expect(() => reader.list('gains')).toThrow(/"gains": is missing/);
    expect(reader.text('name')).toBe('x');
    reader.finish();
  });
});
