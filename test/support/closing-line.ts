/** A vitest reporter that closes the run with `N passed, N failed` alone on a line. */
import type { Reporter, TestModule } from 'vitest/node';

/** Counts tests; a file or a whole run that could not begin, and an error outside any test, count as one failure each. */
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
    // Printed at the very end, after the summary and whatever the teardown has to say.
    process.once('exit', (code) => {
      // A run that could not begin, or was broken off, has no failed test to show for it.
      if (code !== 0) failed ||= 1;
      process.stdout.write(
        `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
      );
    });
  }
}
