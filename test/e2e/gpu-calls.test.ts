/** A training step replays: one submit, and no GPU object but one encoder, its passes and one command buffer. */
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type {} from './pages/gpu-calls.js';

const STEPS = 24;

let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await puppeteer.connect({ browserWSEndpoint: inject('browserEndpoint'), protocolTimeout: 0 });
  page = await browser.newPage();
  await page.goto(`${inject('pagesUrl')}test/e2e/pages/gpu-calls.html`);
  await page.waitForFunction(() => window.countGpuCalls !== undefined, { timeout: 60_000 });
});

afterAll(async () => {
  await page.close();
  await browser.disconnect();
});

it.each([
  { cell: 'lstm', hiddenSize: 128, sequenceLength: 64, batchSize: 4 },
  { cell: 'gru', hiddenSize: 32, sequenceLength: 16, batchSize: 4 },
  { cell: 'rnn', hiddenSize: 32, sequenceLength: 16, batchSize: 4 },
] as const)('$cell of $hiddenSize over $sequenceLength steps of time', async (options) => {
  const { calls, created, commandBuffers, claimed, losses } = await page.evaluate(
    (chosen) => window.countGpuCalls!(chosen),
    { ...options, warmUp: 20, steps: STEPS },
  );
  // The run was a real one.
  expect(losses).toHaveLength(STEPS);
  expect(losses.every(Number.isFinite)).toBe(true);

  // One more keeps the weights that the call begins with.
  const submits = STEPS + 1;
  expect(calls['GPUQueue.submit']).toBe(submits);
  expect(commandBuffers).toBe(submits);
  expect(Object.keys(created).sort()).toEqual([
    'GPUCommandBuffer',
    'GPUCommandEncoder',
    'GPUComputePassEncoder',
  ]);
  expect(created['GPUCommandEncoder']).toBe(submits);
  expect(created['GPUCommandBuffer']).toBe(submits);

  const dispatches = calls['GPUComputePassEncoder.dispatchWorkgroups']! / STEPS;
  expect(dispatches).toBeLessThanOrEqual(2 * options.sequenceLength + 25);
  expect(claimed).toEqual({ dispatches, submits: 1 });
});
