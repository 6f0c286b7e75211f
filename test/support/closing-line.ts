import type { Reporter, TestModule } from 'vitest/node';

/** Prints 'N passed, N failed, N skipped' at the end of a run, without colours: for a CI that reads one plain line. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string) => states.filter((other) => other === state).length;
    // A module that could not be loaded has no tests, and is a failure all the same.
    const unloaded = modules.filter(
      (module) => module.state() === 'failed' && module.children.size === 0,
    ).length;
    const [passed, failed, skipped] = [count('passed'), count('failed') + unloaded, count('skipped')];
    // When the process ends: the summary of the other reporter comes first.
    process.once('exit', () => {
      process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    });
  }
}
