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

const modules = import.meta.glob<GpuCaseModule>('../cases/*.ts');

const runner = new CaseRunner(async () => {
  const gpu = (navigator as Partial<Navigator>).gpu;
  if (!gpu) throw new Error('this browser has no WebGPU: navigator.gpu is missing');
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('this browser gives no WebGPU adapter');
  return adapter;
});

window.gpuTests = {
  describeAdapter: () => runner.describeAdapter(),
  async run(file, name) {
    const load = modules[`../cases/${file}`];
    if (!load) return `there is no file test/gpu/cases/${file}`;
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
