/** The process in Deno, which has WebGPU itself. */
import { serve } from './process.js';

await serve(true);
