/** Trains a recurrent layer with a linear readout on batches drawn by a task, and measures it on new ones. */
import { CpuExecutor } from '../../../src/cpu/executor.js';
import type { Value } from '../../../src/graph/value.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { Linear } from '../../../src/nn/linear.js';
import { binaryCrossEntropyWithLogits, crossEntropy, meanSquaredError } from '../../../src/nn/losses.js';
import { Random } from '../../../src/nn/random.js';
import type { RecurrentLayer } from '../../../src/nn/recurrent.js';
import { Adam } from '../../../src/optim/adam.js';
import { Trainer, type Batch } from '../../../src/train/trainer.js';

const LOSSES = { squared: meanSquaredError, binary: binaryCrossEntropyWithLogits, classes: crossEntropy };

/** A task: how a batch is drawn, what the loss is, and how many numbers are wanted of each output. */
export interface Task {
  readonly loss: keyof typeof LOSSES;
  readonly outputs: number;
  /** Inputs x `[T,B,I]`, y of the outputs' shape (classes without the last dimension), maybe lengths `[B]`. */
  readonly draw: (random: Random) => Batch;
}

/** How long a task is trained. */
export interface Effort {
  readonly steps: number;
  readonly learningRate?: number;
}

/** The loss on a batch that was never trained with, evaluated, after `steps` batches drawn anew. */
export async function trainTask<State extends object>(
  rnn: RecurrentLayer<State>,
  task: Task,
  { steps, learningRate = 0.01 }: Effort,
): Promise<number> {
  const executor = new CpuExecutor({ precision: 'float32' });
  const output = new Linear({ inputSize: rnn.outputSize, outputSize: task.outputs, seed: 9 });
  const trainer = new Trainer({
    executor,
    parameters: new ModuleDict({ rnn, output }),
    optimizer: new Adam({ learningRate }),
    clipNorm: 1,
    record: (_, { x, y, lengths }: Readonly<Record<string, Value>>, context) => {
      const result = rnn.forward(x!, undefined, context, lengths ? { lengths } : {});
      return LOSSES[task.loss](output.forward(result.output), y!);
    },
  });
  const random = new Random(5);
  for (let step = 0; step < steps; step++) await trainer.step(task.draw(random));
  const { loss } = await trainer.evaluate(task.draw(new Random(6)));
  executor.dispose();
  return loss;
}

const bit = (random: Random): number => (random.uniform() < 0.5 ? 0 : 1);

/** Bits; wanted at each step: whether the sum so far is odd. */
export function parity(steps: number, batch = 16): Task {
  return {
    loss: 'binary',
    outputs: 1,
    draw(random) {
      const x = Float32Array.from({ length: steps * batch }, () => bit(random));
      const y = x.slice();
      for (let i = batch; i < y.length; i++) y[i] = (y[i - batch]! + x[i]!) % 2;
      const shape = [steps, batch, 1];
      return { x: { shape, data: x }, y: { shape, data: y } };
    },
  };
}

/** Numbers in [0,1), two of them marked; wanted at the end: the sum of those. Always answering 1 costs 1/6. */
export function adding(steps: number, batch = 16): Task {
  return {
    loss: 'squared',
    outputs: 1,
    draw(random) {
      const x = new Float32Array(steps * batch * 2);
      const y = new Float32Array(batch);
      for (let i = 0; i < steps * batch; i++) x[2 * i] = random.uniform();
      for (let b = 0; b < batch; b++) {
        const half = Math.floor(steps / 2);
        for (const t of [Math.floor(random.uniform(0, half)), Math.floor(random.uniform(half, steps))]) {
          x[2 * (t * batch + b) + 1] = 1;
          y[b] = y[b]! + x[2 * (t * batch + b)]!;
        }
      }
      return { x: { shape: [steps, batch, 2], data: x }, y: { shape: [batch, 1], data: y } };
    },
  };
}

/** A symbol of four, then blanks; wanted at the end: the symbol. Knowing nothing costs ln 4 = 1.39 nats. */
export function copyMemory(delay: number, batch = 8): Task {
  const symbols = 4;
  return {
    loss: 'classes',
    outputs: symbols,
    draw(random) {
      const x = new Float32Array((delay + 1) * batch * symbols);
      const y = Int32Array.from({ length: batch }, () => Math.floor(random.uniform(0, symbols)));
      y.forEach((symbol, b) => (x[b * symbols + symbol] = 1));
      return { x: { shape: [delay + 1, batch, symbols], data: x }, y: { shape: [batch], data: y } };
    },
  };
}

/** Bits; wanted at each step: the sum of the bits before and after it, out of range counting 0. */
export function neighbours(steps: number, batch = 16): Task {
  return {
    loss: 'squared',
    outputs: 1,
    draw(random) {
      const x = Float32Array.from({ length: steps * batch }, () => bit(random));
      const y = x.map((_, i) => (x[i - batch] ?? 0) + (x[i + batch] ?? 0));
      const shape = [steps, batch, 1];
      return { x: { shape, data: x }, y: { shape, data: y } };
    },
  };
}

/** Sequences of 1 to `steps` bits with noise past each end; wanted: the last bit of the sequence itself. */
export function lastBit(steps: number, batch = 16): Task {
  return {
    loss: 'binary',
    outputs: 1,
    draw(random) {
      const x = Float32Array.from({ length: steps * batch }, () => bit(random));
      const lengths = Int32Array.from({ length: batch }, () => 1 + Math.floor(random.uniform(0, steps)));
      const y = Float32Array.from(lengths, (length, b) => x[(length - 1) * batch + b]!);
      return {
        x: { shape: [steps, batch, 1], data: x },
        y: { shape: [batch, 1], data: y },
        lengths: { shape: [batch], data: lengths },
      };
    },
  };
}
