/** The small public surface, `webgpu-rnn/inference`: trained models that run, and nothing that trains. */
import { simdMaps } from './cpu/affine-map.js';
import { CpuFrozenRunner } from './cpu/frozen.js';
import { DeviceError } from './graph/errors.js';
import type { FrozenRunner } from './graph/frozen.js';
import { checkChoice, checkOptions } from './graph/options.js';
import type { DeviceLike } from './gpu/device-types.js';
import type { WeightPrecision } from './gpu/device.js';
import { GpuFrozenRunner } from './gpu/frozen.js';
import { checkRecovery, type DeviceRecovery } from './gpu/reopening.js';
import { readCharacterFile } from './text/character-file.js';
import { frozenNetwork } from './text/frozen-network.js';
import { TextGenerator } from './text/text-generator.js';

export {
  AbortError,
  ArgumentError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  FormatError,
  LimitError,
  NonFiniteError,
  OutOfMemoryError,
  RnnError,
  TextError,
} from './graph/errors.js';
export type { DeviceLike } from './gpu/device-types.js';
export type { WeightPrecision } from './gpu/device.js';
export type { DeviceRecovery } from './gpu/reopening.js';
export type { CharacterConfig } from './text/character-file.js';
export type { GenerateOptions } from './text/character-model.js';
export type { SamplingOptions } from './text/sampling.js';
export { TextGenerator } from './text/text-generator.js';
export type { CharacterTokenizer } from './text/tokenizer.js';

/** Options of {@link loadTextGenerator}. */
export interface TextGeneratorOptions {
  /**
   * `auto`, the default: the CPU for models whose step it does in a few milliseconds, which is sooner than a
   * GPU hands its result over, and where WebGPU is a software adapter; WebGPU for larger ones.
   */
  readonly backend?: 'auto' | 'webgpu' | 'cpu';
  /** A WebGPU device of the application's own; it will not be destroyed. */
  readonly device?: DeviceLike;
  /**
   * What is done when WebGPU's device is lost: by default another one is asked for, and where none comes, `auto`
   * goes on with the CPU; what is being written goes on from where it is. The weights stay in memory of the host
   * for that. `false`: nothing.
   */
  readonly recovery?: DeviceRecovery | false;
  /**
   * How WebGPU stores weights. `float16` is half the memory, there and to read for every character: each weight of a
   * matrix is rounded to the nearest number of eleven binary digits, 65504 at most, and to zero below 2⁻¹⁴; embedding,
   * biases and sums stay float32. Needs no feature of the adapter. The CPU always takes `float32`, the default.
   */
  readonly weightPrecision?: WeightPrecision;
}

/** Weights up to which a character takes the CPU about as long as reading a result back takes a GPU. */
const CPU_WEIGHTS = 6_000_000;

/**
 * A generator from a file that `CharacterModel.save` wrote.
 * @throws FormatError naming what is wrong with the file; DeviceError when WebGPU was asked for and there is
 * none, OutOfMemoryError when it has no memory for the model; ArgumentError for an unknown option
 */
export async function loadTextGenerator(
  bytes: Uint8Array | ArrayBuffer,
  options: TextGeneratorOptions = {},
): Promise<TextGenerator> {
  checkOptions('loadTextGenerator', options, ['backend', 'device', 'recovery', 'weightPrecision']);
  const { backend = 'auto', device, recovery = {}, weightPrecision = 'float32' } = options;
  checkChoice('loadTextGenerator', 'backend', backend, ['auto', 'webgpu', 'cpu']);
  checkChoice('loadTextGenerator', 'weightPrecision', weightPrecision, ['float32', 'float16']);
  checkRecovery('loadTextGenerator', recovery);
  const { config, tokenizer, state } = readCharacterFile(bytes);
  const network = frozenNetwork(config, tokenizer.size, state);
  const onCpu = (): FrozenRunner => new CpuFrozenRunner(network, simdMaps);
  let weights = 0;
  for (const { data } of state.values()) weights += data.length;
  const either = backend === 'auto' && !device;
  let runner: FrozenRunner | null = null;
  if (backend !== 'cpu' && !(either && weights <= CPU_WEIGHTS)) {
    const fallback = either ? onCpu : null;
    try {
      const onGpu = await GpuFrozenRunner.create(network, { device, recovery, weightPrecision, fallback });
      if (either && onGpu.software) onGpu.dispose();
      else runner = onGpu;
    } catch (error) {
      if (!either || !(error instanceof DeviceError)) throw error;
    }
  }
  return new TextGenerator(runner ?? onCpu(), tokenizer, config);
}
