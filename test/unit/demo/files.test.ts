/** Files of the headless command, written by a process that is stopped and killed wherever it is. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeFiles } from '../../../demo/headless/files.js';

const project = fileURLToPath(new URL('../../..', import.meta.url));
const WRITER = fileURLToPath(new URL('write-forever.ts', import.meta.url));
const NAMES = ['history.json', 'model.safetensors'];
const SIZE = 2 ** 22;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-files-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const temporaries = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.tmp'));

/** Each file is of one round from end to end. */
async function expectWhole(): Promise<void> {
  for (const name of NAMES) {
    const found = await readFile(join(folder, name));
    expect(found).toHaveLength(SIZE);
    expect(found.equals(Buffer.alloc(SIZE, found[0]))).toBe(true);
  }
}

it('leaves the old file or the new one, whole, wherever the writer is killed', async () => {
  const child = spawn(process.execPath, ['scripts/run.mjs', WRITER, folder], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    let inMidSave = 0;
    // A stopped process leaves on the disk what a killed one does, and can be stopped many times.
    for (let stop = 0; stop < 25 || inMidSave === 0; stop++) {
      await new Promise((resolve) => setTimeout(resolve, 7 + 13 * Math.random()));
      child.kill('SIGSTOP');
      if ((await temporaries()).length > 0) inMidSave++;
      await expectWhole();
      child.kill('SIGCONT');
    }
    // And one that is killed with a file half written.
    do {
      child.kill('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 10 * Math.random()));
      child.kill('SIGSTOP');
    } while ((await temporaries()).length === 0);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  expect(await temporaries()).not.toEqual([]);
  await expectWhole();

  await writeFiles(folder, { 'history.json': 'the next run' });
  expect((await readdir(folder)).sort()).toEqual(NAMES);
  expect(await readFile(join(folder, 'history.json'), 'utf8')).toBe('the next run');
}, 60_000);

it('replaces nothing where one of the files cannot be written', async () => {
  await writeFiles(folder, { 'a.txt': 'old' });
  await expect(writeFiles(folder, { 'a.txt': 'new', 'no/such/folder.txt': 'new' })).rejects.toThrow(
    'there is no such file',
  );
  expect(await readdir(folder)).toEqual(['a.txt']);
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('old');
});
