/** This project as a contender in a process of its own, told by lines of JSON what to do; in Node and in Deno. */
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Contender, Sample } from '../contender.js';
import { countFor, gpuUse, watchGpu } from '../page/gpu-use.js';
import type { Workload } from '../workloads.js';
import { createOwn } from './contender.js';

interface Command {
  readonly do: 'begin' | 'run' | 'describe';
  readonly units: number;
  readonly backend: string;
  readonly workload?: Workload;
}

let contender: Contender | null = null;

async function answer({ do: action, units, backend, workload }: Command): Promise<Sample> {
  if (action === 'describe') {
    const info = (await navigator.gpu.requestAdapter())?.info;
    const names = info ? [info.vendor, info.architecture, info.device, info.description] : [];
    const description = names.filter(Boolean).join(' ') || 'unnamed adapter';
    return { milliseconds: 0, units, values: [], gpu: null, description };
  }
  if (action === 'begin') contender = await createOwn(backend, workload!);
  countFor('own');
  const began = performance.now();
  const values = await (action === 'begin' ? contender!.begin() : contender!.run(units));
  const milliseconds = performance.now() - began;
  return { milliseconds, units, values, gpu: gpuUse(), description: contender!.description };
}

/**
 * Answers until standard input ends.
 * @param watch whether calls into WebGPU can be counted: Dawn's in Node cannot be wrapped
 */
export async function serve(watch: boolean): Promise<void> {
  if (watch) watchGpu();
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Command))}\n`);
  }
  // Dawn keeps the process alive otherwise.
  process.exit(0);
}
