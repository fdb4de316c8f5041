/** Options of the GPU executor that it cannot do are refused before it opens a device. */
import { expect, test } from 'vitest';
import { ArgumentError, createExecutor, GpuExecutor } from '../../../src/index.js';

test.each<[string, unknown, RegExp]>([
  ['weightPrecision', 'float8', /weightPrecision is "float8"/],
  ['tuning', 'always', /tuning is "always"/],
  ['tuningBudget', -1, /tuningBudget is -1/],
])('%s %j is refused', async (name, value, message) => {
  const opened = GpuExecutor.create({ [name]: value });
  await expect(opened).rejects.toThrow(ArgumentError);
  await expect(opened).rejects.toThrow(message);
});

test('weightPrecision is checked on the CPU too, which has no use for it', async () => {
  const executor = await createExecutor({ backend: 'cpu', weightPrecision: 'float16' });
  executor.dispose();
  const opened = createExecutor({ backend: 'cpu', weightPrecision: 'float8' as 'float16' });
  await expect(opened).rejects.toThrow(/weightPrecision is "float8"/);
});
