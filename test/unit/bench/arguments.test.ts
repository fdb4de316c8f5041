/** The benchmark's command line. */
import { expect, it } from 'vitest';
import { chosenWorkloads, parseCommand, usage, UsageError } from '../../../bench/arguments.js';
import { peersFor } from '../../../bench/entrants.js';
import { WORKLOADS } from '../../../bench/workloads.js';

it('has defaults for everything', () => {
  expect(parseCommand([])).toEqual({
    named: null,
    peers: null,
    runtime: 'chromium',
    adapter: 'auto',
    budgetSeconds: 100,
    json: false,
    profile: false,
    markdown: null,
  });
});

it('takes workloads, each once, and options', () => {
  const args = [
    'train-small',
    'long',
    'train-small',
    '--peers',
    'jax-wasm,tfjs-wasm',
    '--peers',
    'jax-webgpu',
  ];
  expect(
    parseCommand([
      ...args,
      '--runtime',
      'node',
      '--budget',
      '2.5',
      '--json',
      '--profile',
      '--markdown',
      'a.md',
    ]),
  ).toEqual({
    named: ['train-small', 'long'],
    peers: ['jax-wasm', 'tfjs-wasm', 'jax-webgpu'],
    runtime: 'node',
    adapter: 'auto',
    budgetSeconds: 2.5,
    json: true,
    profile: true,
    markdown: 'a.md',
  });
  expect(parseCommand(['--peers', 'none'])!.peers).toEqual([]);
  expect(parseCommand(['--help'])).toBeNull();
});

it.each([
  [['train-tiny'], 'there is no workload "train-tiny"'],
  [['--peers', 'keras'], 'there is no peer "keras"'],
  [['--runtime', 'bun'], '--runtime bun: give one of chromium, node, deno'],
  [['--budget', '0'], '--budget 0: give a number of seconds above 0'],
  [['--budget', 'long'], '--budget long: give a number of seconds above 0'],
  [['--colour'], '--colour'],
])('refuses %j', (args, message) => {
  expect(() => parseCommand(args)).toThrow(UsageError);
  expect(() => parseCommand(args)).toThrow(message);
});

it('leaves large workloads to GPUs, unless they are named', () => {
  const names = (args: readonly string[], software: boolean): string[] =>
    chosenWorkloads(parseCommand(args)!, software).map(({ name }) => name);
  expect(names([], true)).toContain('train-small');
  expect(names([], true)).not.toContain('train-large');
  expect(names([], false)).toContain('train-large');
  expect(names(['train-large'], true)).toEqual(['train-large']);
});

it('leaves slow peers out of large workloads on software, unless they are named', () => {
  const [large] = WORKLOADS['train-large']!;
  expect(peersFor(large!, { peers: null, software: true })).not.toContain('tfjs-webgpu');
  expect(peersFor(large!, { peers: null, software: false })).toContain('tfjs-webgpu');
  expect(peersFor(large!, { peers: ['tfjs-webgpu'], software: true })).toEqual(['tfjs-webgpu']);
  const [matmul] = WORKLOADS['matmul']!;
  expect(peersFor(matmul!, { peers: ['tfjs-webgpu'], software: false })).toEqual([]);
});

it('names every workload and peer in its help', () => {
  for (const name of Object.keys(WORKLOADS)) expect(usage()).toContain(name);
});
