/** The program that runs GPU cases in Node (with Dawn) and in Deno: takes requests, a line of JSON each, and answers likewise. */
import { createInterface } from 'node:readline';
import process from 'node:process';
import type { GpuCaseModule } from '../gpu/case.js';
import { Agent } from '../gpu/harness/agent.js';
import type { Answer, Request } from './protocol.js';

/** Dawn aborts the process once what `create` gave is collected: held here for good. */
const gpu = 'Deno' in globalThis ? (navigator as Partial<Navigator>).gpu : await createDawn();

const agent = new Agent(
  gpu,
  import.meta.glob<GpuCaseModule>(['../gpu/cases/*.ts', './cases/*.ts', '../gpu/harness/faults.ts']),
);

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await answerTo(JSON.parse(line) as Request);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// Dawn's own threads would keep Node alive.
process.exit(0);

async function answerTo({ method, parameters }: Request): Promise<Answer> {
  try {
    const call = agent[method].bind(agent) as (...values: readonly string[]) => unknown;
    return { result: await call(...parameters) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

async function createDawn(): Promise<GPU> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  return create([]);
}
