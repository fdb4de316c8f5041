/** A vitest reporter that closes the run with `N passed, N failed` alone on a line. */
import type { Reporter, TestModule } from 'vitest/node';

/** Counts tests; a file that could not run, or an error outside any test, counts as one failure. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let skipped = 0;
    let failed = errors.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed++;
        else if (state === 'skipped') skipped++;
        else failed++;
      }
    }
    const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    // Printed at the very end, after the summary and whatever the teardown has to say.
    process.once('exit', () => {
      process.stdout.write(`${line}\n`);
    });
  }
}
