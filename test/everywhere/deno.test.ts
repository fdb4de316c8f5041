/** Deno with wgpu: Naga on lavapipe. */
import { testRuntime } from './everywhere.js';

testRuntime('deno');
