/** A run in the worker, on the CPU: it is held, stepped and steered, and says when it has diverged. */
import { expect, it } from 'vitest';
import { Gate } from '../../../demo/characters/gate.js';
import { createOptimizer } from '../../../demo/characters/optimizers.js';
import {
  DEFAULT_SETTINGS,
  emptyHistory,
  type Settings,
  type WorkerEvent,
} from '../../../demo/characters/protocol.js';
import { TrainingRun } from '../../../demo/characters/training-run.js';
import { CharacterModel, CpuExecutor } from '../../../src/index.js';

const TEXT = 'a small text to learn. '.repeat(20);
const SETTINGS: Settings = {
  ...DEFAULT_SETTINGS,
  hiddenSize: 6,
  embeddingSize: 4,
  batchSize: 2,
  sequenceLength: 8,
  steps: 12,
  sampleEvery: 5,
  sampleLength: 7,
  validateEvery: 6,
  validationFraction: 0.2,
};

function createRun(chosen: Partial<Settings>, onEvent: (event: WorkerEvent, run: TrainingRun) => void) {
  const settings = { ...SETTINGS, ...chosen };
  const { hiddenSize, embeddingSize } = settings;
  const executor = new CpuExecutor();
  const model = CharacterModel.create({ executor, text: TEXT, cell: 'gru', hiddenSize, embeddingSize });
  const events: WorkerEvent[] = [];
  const history = emptyHistory();
  const stop = new AbortController();
  const run: TrainingRun = new TrainingRun({
    model,
    text: TEXT,
    characters: TEXT.length,
    test: null,
    settings,
    history,
    optimizer: createOptimizer(settings),
    emit: (event) => {
      events.push(event);
      onEvent(event, run);
    },
    signal: stop.signal,
    onReady: () => undefined,
    onKeep: async () => undefined,
  });
  return { run, events, history, stop };
}

it('reports each step, samples and validates when asked, and keeps the history', async () => {
  const { run, events, history } = createRun({}, () => undefined);
  const outcome = await run.run();
  expect(outcome).toMatchObject({ stopped: false, steps: 12 });
  expect(history.steps).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(history.losses).toEqual(outcome.losses);
  expect(history.validation.map(({ step }) => step)).toEqual([6, 12]);
  expect(history.samples.map(({ step, text }) => [step, text.length])).toEqual([
    [5, 7],
    [10, 7],
    [12, 7],
  ]);
  expect(events.filter(({ type }) => type === 'ready')).toHaveLength(1);
});

it('is held, takes one step when asked, and goes on with another rate', async () => {
  const heldAt: number[] = [];
  const { run, history } = createRun({}, (event, self) => {
    if (event.type === 'step' && event.step === 3) self.gate.pause();
    if (event.type !== 'held') return;
    heldAt.push(event.step);
    queueMicrotask(() => {
      if (heldAt.length === 1) self.gate.step();
      else {
        self.learningRate = 0.5;
        self.gate.resume();
      }
    });
  });
  await run.run();
  expect(heldAt).toEqual([3, 4]);
  expect(history.steps).toHaveLength(12);
  expect(history.learningRates[0]).toBe(0.002);
  expect(history.learningRates.at(-1)).toBe(0.5);
});

it('ends while it is held', async () => {
  const created = createRun({}, (event, self) => {
    if (event.type === 'step' && event.step === 2) self.gate.pause();
    if (event.type === 'held') queueMicrotask(() => created.stop.abort());
  });
  expect(await created.run.run()).toMatchObject({ stopped: true });
});

it('refuses what the library would refuse too late', () => {
  for (const [name, value] of Object.entries({
    sampleEvery: -1,
    sampleLength: 0,
    temperature: NaN,
    topK: 0.5,
    topP: 0,
  })) {
    expect(() => createRun({ [name]: value }, () => undefined)).toThrow(`${name} is ${value}`);
  }
  expect(() => {
    createRun({}, () => undefined).run.learningRate = -1;
  }).toThrow('learningRate is -1');
});

it('lets pass what is not held', async () => {
  const gate = new Gate();
  let held = 0;
  await gate.pass(new AbortController().signal, async () => {
    held++;
  });
  expect(held).toBe(0);
});
