/** A training workload through the public API: layers, a loss and a trainer. */
import {
  Adam,
  createExecutor,
  crossEntropy,
  Embedding,
  GpuExecutor,
  GRU,
  Linear,
  LSTM,
  mean,
  ModuleDict,
  RMSprop,
  SGD,
  square,
  Trainer,
  type Batch,
  type Executor,
  type Feeds,
  type GpuPlan,
  type Module,
  type Optimizer,
  type Plan,
  type Value,
} from '../../src/index.js';
import type { Contender } from '../contender.js';
import { createData, createWeights, isTrained } from '../data.js';
import type { TrainingWorkload } from '../workloads.js';

function createOptimizer({ optimizer, learningRate }: TrainingWorkload): Optimizer {
  // Keras' epsilons, which TensorFlow.js cannot be told in every optimizer.
  switch (optimizer) {
    case 'adam':
      return new Adam({ learningRate, epsilon: 1e-7 });
    case 'rmsprop':
      return new RMSprop({ learningRate, alpha: 0.9, epsilon: 1e-8 });
    case 'sgd':
      return new SGD({ learningRate });
  }
}

/** A contender that can also say where its time goes. */
export interface OwnTraining extends Contender {
  /** One step, timed kernel by kernel; after `begin`. */
  profile(): ReturnType<GpuPlan['profile']>;
}

/**
 * Makes the contender. Its unit of work is a training step on one batch, always the same.
 * @param options.cpu whether on the CPU, not on WebGPU
 * @param options.timestamps whether to ask for the device's clock, for `profile`
 */
export function createOwnTraining(
  workload: TrainingWorkload,
  options: { readonly cpu?: boolean; readonly timestamps?: boolean } = {},
): OwnTraining {
  const { cell, input, inputSize, hiddenSize, numLayers, vocabSize, predict, clipNorm } = workload;
  const { batchSize: B, sequenceLength: T } = workload;
  let executor: Executor | null = null;
  let trainer: Trainer | null = null;
  const { tokens, targets, features } = createData(workload);
  const weights = createWeights(workload);
  const batch: Batch = {
    ...(input === 'embedding'
      ? { x: { shape: [T, B], data: tokens } }
      : { x: { shape: [T, B, inputSize], data: features } }),
    ...(vocabSize > 0 ? { targets: { shape: predict === 'every' ? [T, B] : [B], data: targets } } : {}),
  };

  async function begin(): Promise<number[]> {
    executor = options.cpu
      ? await createExecutor({ backend: 'cpu' })
      : await GpuExecutor.create({ timestamps: options.timestamps, powerPreference: 'high-performance' });
    const sizes = { inputSize, hiddenSize, numLayers, returnSequences: predict === 'every', seed: 1 };
    const embedding =
      input === 'embedding' ? new Embedding({ vocabSize, embeddingSize: inputSize, seed: 1 }) : null;
    const rnn = cell === 'lstm' ? new LSTM(sizes) : new GRU(sizes);
    const output =
      vocabSize > 0 ? new Linear({ inputSize: hiddenSize, outputSize: vocabSize, seed: 1 }) : null;
    const modules: Record<string, Module> = {
      ...(embedding ? { embedding } : {}),
      rnn,
      ...(output ? { output } : {}),
    };
    const parameters = new ModuleDict(modules);
    parameters.loadState(executor, weights);
    trainer = new Trainer({
      executor,
      parameters: new Map([...parameters.namedParameters()].filter(([name]) => isTrained(name))),
      optimizer: createOptimizer(workload),
      clipNorm,
      record: (_graph, inputs, context): Value => {
        const x = embedding ? embedding.forward(inputs['x']!) : inputs['x']!;
        const hidden = rnn.forward(x, undefined, context).output;
        return output ? crossEntropy(output.forward(hidden), inputs['targets']!) : mean(square(hidden));
      },
    });
    return run(1);
  }

  async function run(steps: number): Promise<number[]> {
    let loss = NaN;
    for (let step = 1; step <= steps; step++) {
      const { records } = await trainer!.step(batch, { flush: step === steps });
      loss = records.at(-1)?.loss ?? loss;
    }
    return [loss];
  }

  return {
    begin,
    run,
    async profile() {
      const plan = (await trainer!.plan(batch)) as Plan & Pick<GpuPlan, 'profile'>;
      const inputs = Object.entries(batch).map(([name, { data }]) => [name, data] as const);
      const { learningRate } = workload;
      const feeds: Feeds = { ...Object.fromEntries(inputs), learningRate, clipNorm, clipValue: 0 };
      return plan.profile(feeds);
    },
    async dispose() {
      trainer?.dispose();
      executor?.dispose();
    },
    get description() {
      return executor?.description ?? '';
    },
  };
}
