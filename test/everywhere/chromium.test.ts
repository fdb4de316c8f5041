/** Chromium: Tint on SwiftShader; only for `npm run test:all`, since the projects gpu and golden run there too. */
import { testRuntime } from './everywhere.js';

testRuntime('chromium');
