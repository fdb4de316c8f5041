/** The page that runs golden files on WebGPU: `window.runGoldenFile`, called through the browser's protocol. */
import { createExecutor, type Executor } from '../../../src/index.js';
import { runGolden, type GoldenReport } from '../run-golden.js';

declare global {
  interface Window {
    /** Runs one file, given as base64; a protocol for JSON cannot carry bytes. */
    runGoldenFile?: (name: string, base64: string) => Promise<GoldenReport>;
    /** What runs them, for people. */
    describeExecutor?: () => Promise<string>;
  }
}

let opened: Promise<Executor> | null = null;
const open = (): Promise<Executor> => (opened ??= createExecutor({ backend: 'webgpu' }));

window.describeExecutor = async () => (await open()).description;

window.runGoldenFile = async (name, base64) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return await runGolden(name, bytes, await open());
  } catch (error) {
    return { name, passed: false, unsupported: null, text: String(error) };
  }
};
