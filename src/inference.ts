/** The small public surface, `webgpu-rnn/inference`: trained models that run, and nothing that trains. */
import { CpuFrozenRunner } from './cpu/frozen.js';
import { DeviceError } from './graph/errors.js';
import type { FrozenNetwork, FrozenRunner } from './graph/frozen.js';
import { checkChoice, checkOptions } from './graph/options.js';
import type { DeviceLike } from './gpu/device-types.js';
import { GpuFrozenRunner } from './gpu/frozen.js';
import { readCharacterFile } from './text/character-file.js';
import { frozenNetwork } from './text/frozen-network.js';
import { TextGenerator } from './text/text-generator.js';

export {
  AbortError,
  ArgumentError,
  DeviceError,
  DisposedError,
  FormatError,
  LimitError,
  NonFiniteError,
  OutOfMemoryError,
  RnnError,
  TextError,
} from './graph/errors.js';
export type { DeviceLike } from './gpu/device-types.js';
export type { CharacterConfig } from './text/character-file.js';
export type { GenerateOptions } from './text/character-model.js';
export type { SamplingOptions } from './text/sampling.js';
export { TextGenerator } from './text/text-generator.js';
export type { CharacterTokenizer } from './text/tokenizer.js';

/** Options of {@link loadTextGenerator}. */
export interface TextGeneratorOptions {
  /**
   * `auto`, the default: the CPU for models whose step it does in a few milliseconds, which is sooner than a
   * GPU hands its result over; WebGPU for larger ones, where there is an adapter.
   */
  readonly backend?: 'auto' | 'webgpu' | 'cpu';
  /** A WebGPU device of the application's own; it will not be destroyed. */
  readonly device?: DeviceLike;
}

/** Weights up to which a character takes the CPU about as long as reading a result back takes a GPU. */
const CPU_WEIGHTS = 2_000_000;

/**
 * A generator from a file that `CharacterModel.save` wrote.
 * @throws FormatError naming what is wrong with the file; DeviceError when WebGPU was asked for and there is
 * none; ArgumentError for an unknown option
 */
export async function loadTextGenerator(
  bytes: Uint8Array | ArrayBuffer,
  options: TextGeneratorOptions = {},
): Promise<TextGenerator> {
  checkOptions('loadTextGenerator', options, ['backend', 'device']);
  const { backend = 'auto', device } = options;
  checkChoice('loadTextGenerator', 'backend', backend, ['auto', 'webgpu', 'cpu']);
  const { config, tokenizer, state } = readCharacterFile(bytes);
  const network = frozenNetwork(config, tokenizer.size, state);
  let weights = 0;
  for (const { data } of state.values()) weights += data.length;
  const small = backend === 'auto' && !device && weights <= CPU_WEIGHTS;
  const runner =
    backend === 'cpu' || small ? new CpuFrozenRunner(network) : await openGpu(network, backend, device);
  return new TextGenerator(runner, tokenizer, config);
}

async function openGpu(
  network: FrozenNetwork,
  backend: string,
  device: DeviceLike | undefined,
): Promise<FrozenRunner> {
  try {
    return await GpuFrozenRunner.create(network, { device });
  } catch (error) {
    if (backend === 'auto' && !device && error instanceof DeviceError) return new CpuFrozenRunner(network);
    throw error;
  }
}
