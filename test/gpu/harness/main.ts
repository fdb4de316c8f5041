/** The page that runs GPU cases: `window.gpuTests`, called by the tests through the browser's protocol. */
import { CaseRunner } from './runner.js';
import type { GpuCaseModule } from '../case.js';

/** What a test calls in this page. */
export interface GpuTests {
  /** The adapter, for people. */
  describeAdapter(): Promise<string>;
  /** Runs one case; resolves to null when it passed, and else to what went wrong. */
  run(file: string, name: string): Promise<string | null>;
}

declare global {
  interface Window {
    gpuTests?: GpuTests;
  }
}

const modules = new Map(
  Object.entries(import.meta.glob<GpuCaseModule>(['../cases/*.ts', './faults.ts'])).map(([path, load]) => [
    path.slice(path.lastIndexOf('/') + 1),
    load,
  ]),
);

const runner = new CaseRunner((navigator as Partial<Navigator>).gpu);

window.gpuTests = {
  describeAdapter: () => runner.describeAdapter(),
  async run(file, name) {
    const load = modules.get(file);
    if (!load) return `there is no file ${file} of cases`;
    try {
      const { cases } = await load();
      return await runner.run(file, cases, name);
    } catch (error) {
      return describe(error);
    }
  },
};

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
}
