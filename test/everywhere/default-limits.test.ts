/** Deno on an adapter with nothing but the limits and features that every adapter has. */
import { testRuntime } from './everywhere.js';

testRuntime('deno', 'default limits');
