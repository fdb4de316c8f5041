/** Where `loadTextGenerator` computes by itself: a large model on a GPU, and on the CPU where WebGPU has none. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CharacterModel, CpuExecutor } from '../../../src/index.js';
import { loadTextGenerator } from '../../../src/inference.js';
import { SimulatedDevice, WEBGPU_CONSTANTS } from '../../support/simulated-device.js';

beforeEach(() => {
  for (const [name, value] of Object.entries(WEBGPU_CONSTANTS)) vi.stubGlobal(name, value);
});

afterEach(() => vi.unstubAllGlobals());

/** Lets WebGPU offer one device of this adapter. */
function offer(description: string): SimulatedDevice {
  const device = new SimulatedDevice();
  const adapter = {
    info: { description },
    features: new Set(),
    limits: device.limits,
    requestDevice: () => Promise.resolve(device),
  };
  vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.resolve(adapter) } });
  return device;
}

const model = CharacterModel.create({
  executor: new CpuExecutor(),
  characters: 'ab',
  hiddenSize: 1250,
  seed: 1,
});

it.each([
  ['a hardware adapter', 'auto', 'webgpu: a hardware adapter'],
  ['SwiftShader', 'auto', 'cpu'],
  ['SwiftShader', 'webgpu', 'webgpu: SwiftShader'],
] as const)('%s, %s', async (description, backend, expected) => {
  const device = offer(description);
  const generator = await loadTextGenerator(await model.save(), { backend });
  expect(generator.description).toContain(expected);
  if (expected === 'cpu') expect(device.live.size).toBe(0);
  generator.dispose();
  expect(device.live.size).toBe(0);
});
