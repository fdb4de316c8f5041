/** The tests: one project a kind, the quick ones first, those that share the browser one after another. */
import { defineConfig } from 'vitest/config';

/** One vite server and one Chromium for all projects that need a page. */
const browser = { globalSetup: 'test/support/browser-setup.ts', fileParallelism: false };

export default defineConfig(({ mode }) => ({
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // No test is about time; a busy machine may take its own.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'lint',
          include: ['test/lint/**/*.test.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...browser,
          name: 'gpu',
          include: ['test/gpu/**/*.test.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          ...browser,
          name: 'golden',
          include: ['test/golden/**/*.test.ts'],
          testTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          ...browser,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          ...browser,
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
      {
        extends: true,
        test: {
          name: 'everywhere',
          globalSetup: 'test/support/everywhere-setup.ts',
          include: ['test/everywhere/**/*.test.ts'],
          // In Chromium the projects gpu and golden run all of it.
          exclude: mode === 'all' ? [] : ['test/everywhere/chromium.test.ts'],
          env: { EVERYWHERE: mode },
          testTimeout: 300_000,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
}));
