/** Counts every call into WebGPU while a character model trains, by wrapping the API itself. */
import { CharacterModel, createExecutor } from '../../../src/index.js';

/** What happened during some steps. */
export interface GpuCalls {
  /** Calls, by `Interface.method`. */
  readonly calls: Readonly<Record<string, number>>;
  /** GPU objects that calls returned, by interface. */
  readonly created: Readonly<Record<string, number>>;
  /** Command buffers submitted. */
  readonly commandBuffers: number;
  /** What the plan says of itself. */
  readonly claimed: { readonly dispatches: number; readonly submits: number };
  readonly losses: readonly number[];
}

/** What to train. */
export interface GpuCallsOptions {
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly hiddenSize: number;
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** Steps before the counting begins. */
  readonly warmUp: number;
  /** Steps that are counted. */
  readonly steps: number;
}

declare global {
  interface Window {
    countGpuCalls?: (options: GpuCallsOptions) => Promise<GpuCalls>;
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

const calls: Record<string, number> = {};
const created: Record<string, number> = {};
let commandBuffers = 0;

const interfaces = Object.getOwnPropertyNames(globalThis).filter((name) => /^GPU[A-Z]/.test(name));

for (const name of interfaces) {
  const { prototype } = (globalThis as unknown as Record<string, { prototype?: object }>)[name]!;
  for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype ?? {}))) {
    if (key === 'constructor' || typeof value !== 'function') continue;
    const original = value as Method;
    const wrapped: Method = function (...args) {
      add(calls, `${name}.${key}`);
      if (name === 'GPUQueue' && key === 'submit') commandBuffers += (args[0] as unknown[]).length;
      const result = original.apply(this, args);
      if (result instanceof Promise) result.then(note, () => undefined);
      else note(result);
      return result;
    };
    Object.defineProperty(prototype, key, { value: wrapped });
  }
}

function add(tally: Record<string, number>, key: string): void {
  tally[key] = (tally[key] ?? 0) + 1;
}

/** Notes a GPU object that a call returned. */
function note(result: unknown): void {
  const name = (result as object | null | undefined)?.constructor.name ?? '';
  if (interfaces.includes(name)) add(created, name);
}

function forget(): void {
  for (const tally of [calls, created])
    for (const key of Object.keys(tally)) Reflect.deleteProperty(tally, key);
  commandBuffers = 0;
}

window.countGpuCalls = async ({ cell, hiddenSize, batchSize, sequenceLength, warmUp, steps }) => {
  // The snapshots that a recovery needs are no part of a step.
  const executor = await createExecutor({ backend: 'webgpu', recovery: false });
  try {
    const alphabet = Array.from({ length: 65 }, (_, index) => String.fromCharCode(48 + index)).join('');
    const text = alphabet.repeat(Math.ceil((batchSize * sequenceLength * (steps + 1)) / alphabet.length));
    const model = CharacterModel.create({ executor, text, cell, hiddenSize, embeddingSize: 64, seed: 1 });
    const sizes = { batchSize, sequenceLength };
    await model.fit(text, { ...sizes, steps: warmUp });
    forget();
    const { losses } = await model.fit(text, { ...sizes, steps });
    const counted = { calls: { ...calls }, created: { ...created }, commandBuffers, losses };
    const { dispatches, submits } = await model.statistics(sizes);
    return { ...counted, claimed: { dispatches, submits } };
  } finally {
    executor.dispose();
  }
};
