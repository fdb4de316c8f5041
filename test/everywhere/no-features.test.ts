/** Deno on an adapter without optional features. */
import { testRuntime } from './everywhere.js';

testRuntime('deno', 'no features');
