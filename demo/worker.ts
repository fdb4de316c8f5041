/** The page's worker: opens the executor, holds the model, and trains and writes where the page stays responsive. */
import {
  ArgumentError,
  CharacterModel,
  createExecutor,
  decodeUtf8,
  DeviceError,
  type Executor,
} from '../src/index.js';
import type {
  FromWorker,
  GenerateSettings,
  ModelFacts,
  Replies,
  Request,
  Settings,
  ToWorker,
  TrainOutcome,
  WorkerEvent,
} from './protocol.js';

type Emit = (event: WorkerEvent) => void;
type RequestOf<K extends Request['type']> = Extract<Request, { type: K }>;

const running = new Map<number, AbortController>();
const executors = new Map<Settings['backend'], Promise<Executor>>();
let model: CharacterModel | null = null;

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if ('cancel' in data) running.get(data.id)?.abort();
  else void answer(data.id, data.request);
});

async function answer(id: number, request: Request): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const emit: Emit = (event) => send({ id, event });
  try {
    const reply = await perform(request, emit, controller.signal);
    send({ id, reply }, reply instanceof ArrayBuffer ? [reply] : []);
  } catch (error) {
    if (error instanceof DeviceError) forgetDevice();
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    send({ id, error: { name, message } });
  } finally {
    running.delete(id);
  }
}

function send(message: FromWorker, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}

async function perform(request: Request, emit: Emit, signal: AbortSignal): Promise<Replies[keyof Replies]> {
  switch (request.type) {
    case 'probe':
      return (await open('webgpu')).description;
    case 'train':
      return train(request, emit, signal);
    case 'generate':
      await generate(request, emit, signal);
      return null;
    case 'save': {
      const bytes = await currentModel().save();
      return bytes.slice().buffer;
    }
    case 'load':
      return load(request);
  }
}

/** One executor a backend, opened when it is first wanted; after a failure, the next call tries again. */
function open(backend: Settings['backend']): Promise<Executor> {
  let executor = executors.get(backend);
  if (!executor) {
    executor = createExecutor({ backend });
    executors.set(backend, executor);
    executor.catch(() => executors.delete(backend));
  }
  return executor;
}

/** After a lost device nothing on it can be used: the next request opens a new one. */
function forgetDevice(): void {
  if (model?.executor.kind === 'webgpu') model = null;
  executors.get('webgpu')?.then(
    (executor) => executor.dispose(),
    () => undefined,
  );
  executors.delete('webgpu');
}

async function train(
  { text: bytes, textName, settings, further }: RequestOf<'train'>,
  emit: Emit,
  signal: AbortSignal,
): Promise<TrainOutcome> {
  checkSampling(settings);
  const text = decodeUtf8(new Uint8Array(bytes), textName);
  const trained = further
    ? currentModel()
    : CharacterModel.create({ executor: await open(settings.backend), text, ...sizesOf(settings) });
  const { batchSize, sequenceLength, steps, learningRate, clipNorm } = settings;
  const { validationFraction, validateEvery, sampleEvery } = settings;
  const facts = factsOf(trained);
  const began = performance.now();
  let secondsToFirstStep = 0;
  // A run that fails before its first step leaves the model that was there before.
  const adopt = (): void => {
    emit({ type: 'ready', model: facts, characters: countCharacters(text) });
    secondsToFirstStep = (performance.now() - began) / 1000;
    if (model !== trained) model?.dispose();
    model = trained;
  };
  try {
    const result = await trained.fit(text, {
      batchSize,
      sequenceLength,
      steps,
      learningRate,
      clipNorm,
      validationFraction,
      validateEvery,
      signal,
      onProgress: async (progress) => {
        if (progress.step === 1) adopt();
        emit({ type: 'step', ...progress });
        const { step } = progress;
        if (sampleEvery === 0 || step % sampleEvery !== 0 || step === steps || signal.aborted) return;
        emit({ type: 'sample', step, text: await sample(trained, settings, step) });
      },
    });
    // A run that was stopped before its first step has nothing to show.
    const begun = result.steps > 0;
    const written = begun ? await sample(trained, settings, result.steps) : '';
    if (begun) emit({ type: 'sample', step: result.steps, text: written });
    const { dispatches, submits } = begun
      ? await trained.statistics({ batchSize, sequenceLength })
      : { dispatches: 0, submits: 0 };
    const { stopped, losses, validation, skippedUpdates, seconds, millisecondsPerStep } = result;
    return {
      model: facts,
      stopped,
      steps: result.steps,
      losses,
      validation,
      skippedUpdates,
      seconds,
      secondsToFirstStep,
      millisecondsPerStep,
      dispatchesPerStep: dispatches,
      submitsPerStep: submits,
      sample: written,
    };
  } finally {
    if (model !== trained) trained.dispose();
  }
}

/** Code points, as the model sees the text. */
function countCharacters(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index += text.codePointAt(index)! > 0xffff ? 2 : 1) count++;
  return count;
}

/** What the library would find out only when the first sample is due. */
function checkSampling({ sampleEvery, sampleLength, temperature }: Settings): void {
  const fail = (name: string, value: number, wanted: string): never => {
    throw new ArgumentError({
      culprit: 'sampling',
      problem: `${name} is ${value}`,
      remedy: `pass a ${wanted}`,
    });
  };
  if (!Number.isSafeInteger(sampleEvery) || sampleEvery < 0) {
    fail('sampleEvery', sampleEvery, 'whole number of at least 0');
  }
  if (!Number.isSafeInteger(sampleLength) || sampleLength < 1) {
    fail('sampleLength', sampleLength, 'whole number of at least 1');
  }
  if (!Number.isFinite(temperature) || temperature < 0) {
    fail('temperature', temperature, 'finite number of at least 0');
  }
}

function sizesOf({ cell, hiddenSize, numLayers, embeddingSize, seed }: Settings) {
  return { cell, hiddenSize, numLayers, embeddingSize, seed };
}

/** What the model writes now; the seed goes by the step, so that a run repeats. */
async function sample(
  from: CharacterModel,
  { sampleLength, temperature, seed }: Settings,
  step: number,
): Promise<string> {
  let text = '';
  for await (const character of from.generate({ length: sampleLength, temperature, seed: seed + step })) {
    text += character;
  }
  return text;
}

async function generate(
  { prompt, length, temperature, seed }: GenerateSettings,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const options = { length, temperature, seed, signal, ...(prompt === '' ? {} : { prompt }) };
  for await (const text of currentModel().generate(options)) emit({ type: 'written', text });
}

async function load({ bytes, backend }: RequestOf<'load'>): Promise<ModelFacts> {
  const loaded = CharacterModel.load(bytes, { executor: await open(backend) });
  model?.dispose();
  model = loaded;
  return factsOf(loaded);
}

function currentModel(): CharacterModel {
  if (model) return model;
  throw new ArgumentError({
    culprit: 'demo',
    problem: 'there is no model yet',
    remedy: 'train one, or load one from a file',
  });
}

function factsOf({ executor, config, tokenizer, parameterCount }: CharacterModel): ModelFacts {
  return {
    adapter: executor.description,
    kind: `${config.cell.toUpperCase()} ${config.numLayers}×${config.hiddenSize}`,
    vocabularySize: tokenizer.size,
    parameterCount,
  };
}
