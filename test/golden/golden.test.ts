/** Golden files on both backends: hand-made ones always, and those of a folder beside the project where it is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createExecutor, type Executor } from '../../src/index.js';
import { GoldenPage } from './golden-page.js';
import {
  handMadeCtc,
  handMadeLayer,
  handMadeTraining,
  tensor,
  writeGolden,
  type GoldenParts,
} from './hand-made.js';
import { runGolden, type GoldenReport } from './run-golden.js';

/** Where golden files made elsewhere may be. */
const FOLDER = resolve(process.env['GOLDEN_FOLDER'] ?? '../shared/golden');

/** What files may need that is not built yet. Whoever builds one takes it out of this list. */
const NOT_BUILT: readonly string[] = [];

type Run = (name: string, bytes: Uint8Array) => Promise<GoldenReport>;

let browser: Browser;
let page: GoldenPage;
let reference: Executor;

beforeAll(async () => {
  reference = await createExecutor({ backend: 'cpu', precision: 'float64' });
  browser = await puppeteer.connect({
    browserWSEndpoint: inject('browserEndpoint'),
    protocolTimeout: 0,
    defaultViewport: null,
  });
  page = await GoldenPage.open(browser, inject('pagesUrl'));
});

afterAll(async () => {
  reference.dispose();
  await page.close();
  await browser.disconnect();
});

const backends: readonly (readonly [string, Run])[] = [
  ['cpu', (name, bytes) => runGolden(name, bytes, reference)],
  ['webgpu', (name, bytes) => page.run(name, bytes)],
];

describe.each(backends)('hand-made, %s', (_backend, run) => {
  it('a layer passes', async () => {
    const { passed, text } = await run('layer', writeGolden(handMadeLayer()));
    expect(text).toMatch(/^worst .*, 8 tensors$/);
    expect(passed).toBe(true);
  });

  it('a training run passes', async () => {
    const { passed, text } = await run('train', writeGolden(handMadeTraining()));
    expect(text).toMatch(/^worst .*, 9 tensors$/);
    expect(passed).toBe(true);
  });

  it('a CTC loss passes', async () => {
    const { passed, text } = await run('ctc', writeGolden(handMadeCtc()));
    expect(text).toMatch(/^worst .*, 2 tensors$/);
    expect(passed).toBe(true);
  });

  /** Names, what is spoilt, and what the report must say. */
  const spoilt: readonly (readonly [string, () => GoldenParts, (parts: GoldenParts) => void, string])[] = [
    ['a wrong output', handMadeLayer, ({ tensors }) => add(tensors, 'y', 1e-4), 'worst y: error'],
    [
      'a wrong gradient',
      handMadeLayer,
      ({ tensors }) => add(tensors, 'grad.weight_hh_l0', -1e-3),
      'worst grad.weight_hh_l0: error',
    ],
    ['a wrong loss', handMadeTraining, ({ tensors }) => add(tensors, 'losses', 1e-4), 'worst losses: error'],
    [
      'a wrong norm',
      handMadeTraining,
      ({ tensors }) => add(tensors, 'gradNorms', 1e-4),
      'worst gradNorms: error',
    ],
    [
      'a wrong parameter',
      handMadeTraining,
      ({ tensors }) => add(tensors, 'final.output.bias', 1e-3),
      'worst final.output.bias: error',
    ],
    ['a wrong CTC loss', handMadeCtc, ({ tensors }) => add(tensors, 'loss', 1e-4), 'worst loss: error'],
    [
      'a wrong CTC gradient',
      handMadeCtc,
      ({ tensors }) => add(tensors, 'grad.logits', 1e-3),
      'worst grad.logits: error',
    ],
    [
      'targets that are missing',
      handMadeCtc,
      ({ tensors }) => tensors.delete('targets'),
      'tensor "targets" is missing',
    ],
    ['NaN for a result', handMadeLayer, ({ tensors }) => add(tensors, 'hn', NaN), 'worst hn: error Infinity'],
    [
      'NaN for a weight',
      handMadeLayer,
      ({ tensors }) => add(tensors, 'param.bias_ih_l0', NaN),
      'element 0 is NaN',
    ],
    [
      'a missing gradient',
      handMadeLayer,
      ({ tensors }) => tensors.delete('grad.h0'),
      'tensor "grad.h0" is missing',
    ],
    ['a missing weight', handMadeLayer, ({ tensors }) => tensors.delete('param.bias_hh_l0'), '"bias_hh_l0"'],
    [
      'a tensor of another shape',
      handMadeLayer,
      ({ tensors }) => tensors.set('x', tensor([1, 1, 1], 1)),
      'has shape [1,1,1], its config wants [2,1,1]',
    ],
    [
      'a tensor that nobody knows',
      handMadeLayer,
      ({ tensors }) => tensors.set('mask', tensor([1], 1)),
      'needs tensors that are not built: mask',
    ],
    [
      'another format',
      handMadeLayer,
      ({ metadata }) => metadata.set('format', 'rnn-golden-2'),
      'its format is "rnn-golden-2"',
    ],
    [
      'another kind',
      handMadeLayer,
      ({ config }) => (config['kind'] = 'decoder'),
      'needs kind "decoder", which is not built',
    ],
    [
      'another cell',
      handMadeLayer,
      ({ config }) => (config['cell'] = 'MGU'),
      'needs cell "MGU", which is not built',
    ],
    [
      'both directions where the tensors are of one',
      handMadeLayer,
      ({ config }) => (config['bidirectional'] = true),
      'parameters are missing: "weight_ih_l0_reverse"',
    ],
    [
      'a projection of another cell',
      handMadeLayer,
      ({ config }) => (config['projSize'] = 1),
      'has projSize 1, which a cell "RNN" has not',
    ],
    [
      'a length that cuts the sequence',
      handMadeLayer,
      ({ tensors }) => tensors.set('lengths', { shape: [1], data: Int32Array.of(1) }),
      'tensors fail',
    ],
    [
      'lengths that are no whole numbers',
      handMadeLayer,
      ({ tensors }) => tensors.set('lengths', tensor([1], 1)),
      'lengths is float32[1]; pass int32',
    ],
    [
      'another optimizer',
      handMadeTraining,
      ({ config }) => (config['optimizer'] = 'lion'),
      'needs optimizer "lion", which is not built',
    ],
    [
      'a config without sizes',
      handMadeLayer,
      ({ config }) => delete config['hiddenSize'],
      'its config has no hiddenSize',
    ],
  ];
  it.each(spoilt)('fails %s', async (_what, make, spoil, says) => {
    const parts = make();
    spoil(parts);
    const { passed, text } = await run('spoilt', writeGolden(parts));
    expect(text).toContain(says);
    expect(passed).toBe(false);
  });

  it('fails a truncated file', async () => {
    const { passed, unsupported, text } = await run('short', writeGolden(handMadeLayer()).slice(0, -1));
    expect({ passed, unsupported }).toEqual({ passed: false, unsupported: null });
    expect(text).toMatch(/safetensors/);
  });
});

describe.runIf(existsSync(FOLDER))('folder of golden files', () => {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.safetensors')) : [];

  it('has files', () => {
    expect(files).not.toEqual([]);
  });

  describe.each(backends)('%s', (_backend, run) => {
    it.each(files)('%s', async (name) => {
      const report = await run(name, readFileSync(join(FOLDER, name)));
      if (report.unsupported === null) expect(report).toMatchObject({ passed: true });
      else expect(NOT_BUILT).toContain(report.unsupported);
    });
  });
});

/** Adds to the last number of a tensor. */
function add(tensors: GoldenParts['tensors'], name: string, difference: number): void {
  const { data } = tensors.get(name)!;
  data[data.length - 1]! += difference;
}
