/** Node with Dawn: Tint on SwiftShader. */
import { testRuntime } from './everywhere.js';

testRuntime('node');
