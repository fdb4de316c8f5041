/** The textbook programs reach the results they state, and their command says what it knows. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { equations } from '../../../demo/textbook/equations.js';
import { names } from '../../../demo/textbook/names.js';
import { simpleRnn } from '../../../demo/textbook/simple-rnn.js';
import { text } from '../../../demo/textbook/text.js';
import { words } from '../../../demo/textbook/words.js';
import { CpuExecutor } from '../../../src/cpu/executor.js';

const executor = new CpuExecutor({ precision: 'float32' });

/** Runs a program and gives what it returned and what it printed. */
async function run<R, A extends readonly unknown[]>(
  program: (executor: CpuExecutor, print: (line: string) => void, ...more: A) => Promise<R>,
  ...more: A
): Promise<{ result: R; printed: string }> {
  const lines: string[] = [];
  const result = await program(executor, (line) => void lines.push(line), ...more);
  return { result, printed: lines.join('\n') };
}

describe('textbook programs', () => {
  it('simple-rnn gives outputs (32, 10, 64) and a final state (32, 64), which is the last output', async () => {
    const { result, printed } = await run(simpleRnn);
    expect(printed).toBe('outputs [32, 10, 64]\nfinal state [32, 64]');
    expect(result.outputs.length).toBe(32 * 10 * 64);
    const last = Array.from({ length: 32 }, (_, b) => {
      return Array.from(result.outputs.subarray((b * 10 + 9) * 64, (b * 10 + 10) * 64));
    });
    expect(Array.from(result.state)).toEqual(last.flat());
    expect(Math.max(...result.state.map(Math.abs))).toBeGreaterThan(0.1);
  });

  it('names learns its languages', { timeout: 60_000 }, async () => {
    const { result, printed } = await run(names);
    expect(result.accuracy).toBe(1);
    expect(printed).toBe('36 of 36 names right');
  });

  it('names learns those of a file', { timeout: 60_000 }, async () => {
    const { result } = await run(names, 'aba, one\nbab, two\nabab, two\nbaba, one\n');
    expect(result.accuracy).toBe(1);
  });

  it('equations ends with losses under 0.1', { timeout: 120_000 }, async () => {
    const { result } = await run(equations);
    expect(result.rnn).toBeLessThan(0.1);
    expect(result.lstm).toBeLessThan(0.1);
  });

  it('words tells praise from blame, in new sentences too', { timeout: 60_000 }, async () => {
    const { result } = await run(words);
    expect(result.accuracy).toBeGreaterThan(0.9);
    expect(result.validationAccuracy).toBeGreaterThan(0.9);
  });

  it('text writes lines of the rhyme', { timeout: 60_000 }, async () => {
    const { result, printed } = await run(text);
    expect(result.loss).toBeLessThan(0.2);
    expect(result.text).toHaveLength(72);
    expect(result.text).toContain('open the door\nfive six');
    expect(printed).toContain(result.text);
  });
});

describe('npm run textbook', () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const start = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/run.mjs', 'demo/textbook/main.ts', ...args], {
      cwd: root,
      encoding: 'utf8',
    });

  it('lists the programs without a name', { timeout: 30_000 }, () => {
    const { status, stdout } = start();
    expect(status).toBe(0);
    for (const name of ['simple-rnn', 'names', 'equations', 'words', 'text']) expect(stdout).toContain(name);
  });

  it('runs a program', { timeout: 30_000 }, () => {
    const { status, stdout } = start('simple-rnn');
    expect(status).toBe(0);
    expect(stdout).toBe('outputs [32, 10, 64]\nfinal state [32, 64]\n');
  });

  it.each([
    [['nomes'], 'there is no program "nomes"'],
    [['names', '--backend', 'gpu'], '--backend is "gpu": pass cpu or webgpu'],
    [['names', '--file', 'no/such/file'], 'no/such/file'],
    [['words', '--file', 'package.json'], 'words takes no --file'],
  ])('refuses %j', { timeout: 30_000 }, (args, message) => {
    const { status, stderr } = start(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});
