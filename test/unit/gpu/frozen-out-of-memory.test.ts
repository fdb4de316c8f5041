/** Every allocation of a trained network's life fails once, in each way: the call fails typed, and nothing leaks. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GpuFrozenRunner } from '../../../src/gpu/frozen.js';
import { DeviceError, LimitError, OutOfMemoryError } from '../../../src/graph/errors.js';
import { createFrozenNetwork } from '../../gpu/frozen-network.js';
import { SimulatedDevice, WEBGPU_CONSTANTS, type AllocationFault } from '../../support/simulated-device.js';

const SIZES = { V: 5, E: 3, H: 4, L: 2 };
const NETWORK = createFrozenNetwork('lstm', 'tanh', SIZES);

beforeAll(() => {
  for (const [name, value] of Object.entries(WEBGPU_CONSTANTS)) vi.stubGlobal(name, value);
});

afterAll(() => vi.unstubAllGlobals());

function create(device: SimulatedDevice, network = NETWORK): Promise<GpuFrozenRunner> {
  return GpuFrozenRunner.create(network, { device: device as unknown as GPUDevice, recovery: false });
}

/** What a call throws, or null. */
async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}

describe.each<AllocationFault>(['scope', 'throws', 'invalid'])('an allocation that fails by %s', (fault) => {
  const expected = fault === 'invalid' ? DeviceError : OutOfMemoryError;

  it('leaves nothing behind where the weights go to the device', async () => {
    for (let at = 1; ; at++) {
      const device = new SimulatedDevice();
      device.failing = { at, fault };
      const error = await errorOf(create(device));
      if (error === null) {
        expect(at).toBe(5);
        break;
      }
      expect(error, `allocation ${at}`).toBeInstanceOf(expected);
      expect((error as Error).message).toMatch(/: .+; use a smaller/);
      expect(device.live.size, `allocation ${at}`).toBe(0);
      expect(device.uncaptured).toEqual([]);
    }
  });

  it('leaves a reader as it was', async () => {
    for (let at = 1; ; at++) {
      const device = new SimulatedDevice();
      const runner = await create(device);
      const { size } = device.live;
      device.allocations = 0;
      device.failing = { at, fault };
      const reader = runner.start();
      reader.advance(1);
      const error = await errorOf(reader.synchronize());
      if (error === null) {
        expect(at).toBe(6);
        break;
      }
      expect(error, `allocation ${at}`).toBeInstanceOf(expected);
      expect(device.live.size, `allocation ${at}`).toBe(size);
      // What was to be read has been, once there is memory.
      expect(await reader.predict(2)).toHaveLength(SIZES.V);
      runner.dispose();
      expect(device.live.size).toBe(0);
      expect(device.uncaptured).toEqual([]);
    }
  });
});

it('says so where the host has no memory for the logits', async () => {
  const device = new SimulatedDevice();
  const runner = await create(device);
  const reader = runner.start();
  device.mappingsUntilFault = 0;
  expect(await errorOf(reader.predict(1))).toBeInstanceOf(OutOfMemoryError);
  expect(await reader.predict(2)).toHaveLength(SIZES.V);
  reader.dispose();
  runner.dispose();
  expect(device.live.size).toBe(0);
});

it('names the limit that a layer is too large for, before anything is allocated', async () => {
  const device = new SimulatedDevice();
  device.limits.maxStorageBufferBindingSize = 256;
  expect(await errorOf(create(device))).toBeInstanceOf(LimitError);
  expect(device.live.size).toBe(0);
});
