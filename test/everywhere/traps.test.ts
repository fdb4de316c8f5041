/** Deno with traps around the memory of every plan. */
import { testRuntime } from './everywhere.js';

testRuntime('deno', 'traps');
