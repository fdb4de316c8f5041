/** Firefox: Naga on lavapipe. */
import { testRuntime } from './everywhere.js';

testRuntime('firefox');
