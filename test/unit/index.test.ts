/** The public surface: what an application finds, and which executor it gets. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as api from '../../src/index.js';
import { ArgumentError, createExecutor, DeviceError } from '../../src/index.js';

afterEach(() => vi.unstubAllGlobals());

describe('createExecutor', () => {
  it('opens the CPU in either precision', async () => {
    expect((await createExecutor({ backend: 'cpu' })).description).toBe('cpu float32');
    expect((await createExecutor({ backend: 'cpu', precision: 'float64' })).description).toBe('cpu float64');
  });
  it('falls back to the CPU where there is no WebGPU, unless WebGPU was asked for', async () => {
    vi.stubGlobal('navigator', {});
    expect((await createExecutor()).kind).toBe('cpu');
    await expect(createExecutor({ backend: 'webgpu' })).rejects.toThrow(DeviceError);
    vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.resolve(null) } });
    expect((await createExecutor({ backend: 'auto' })).kind).toBe('cpu');
    await expect(createExecutor({ backend: 'webgpu' })).rejects.toThrow(/no adapter/);
  });
  it('refuses what it does not know', async () => {
    await expect(createExecutor({ backend: 'webgl' as 'cpu' })).rejects.toThrow(ArgumentError);
    await expect(createExecutor({ gpu: true } as never)).rejects.toThrow(/no option "gpu"/);
    await expect(createExecutor({ backend: 'cpu', precision: 'float16' as 'float32' })).rejects.toThrow(
      /precision/,
    );
  });
});

describe('the public surface', () => {
  it('has what each depth of use needs', () => {
    const names = [
      ...['CharacterModel', 'CharacterTokenizer', 'createExecutor', 'decodeUtf8'],
      ...['Module', 'Linear', 'Embedding', 'RNN', 'LSTM', 'GRU', 'Dropout', 'Sequential', 'ModuleDict'],
      ...['crossEntropy', 'meanSquaredError', 'SGD', 'Adam', 'AdamW', 'RMSprop', 'Trainer', 'LaneBatches'],
      ...['Graph', 'Variable', 'defineOperation', 'gradients', 'scan', 'stopGradient', 'matmul', 'recurrent'],
      ...['CpuExecutor', 'GpuExecutor', 'selfTest', 'parseSafetensors', 'writeSafetensors'],
    ];
    for (const name of names) expect(api, name).toHaveProperty(name);
  });
  it('has no rules of operations, which would bind the library to its inside', () => {
    const inside = Object.keys(api).filter((name) => /Operation$|^[A-Z_]+$/.test(name));
    expect(
      inside.filter((name) => !['defineOperation', 'OPAQUE', 'GRU', 'LSTM', 'RNN', 'SGD'].includes(name)),
    ).toEqual([]);
  });
});
