/** The process in Node, with WebGPU by Dawn. */
import { create, globals } from 'webgpu';
import { serve } from './process.js';

// Held for the life of the process: Dawn aborts once it is collected.
Object.assign(globalThis, globals);
const gpu = create([]);
Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });

await serve(false);
