import { defineConfig } from 'vitest/config';
import suite from './test/suite.config.js';
import { SHARED_TESTS } from './test/support/shared-tests.js';

const { globalSetup, reporters, maxWorkers, ...test } = suite.test ?? {};

/** The suite. Small files share processes, which spares each the loading of all modules; a file that is listed nowhere is alone. */
export default defineConfig({
  test: {
    ...{ globalSetup, reporters, maxWorkers },
    projects: [
      {
        ...suite,
        test: { ...test, name: 'alone', exclude: [...(test.exclude ?? []), ...SHARED_TESTS] },
      },
      { ...suite, test: { ...test, name: 'shared', include: SHARED_TESTS, isolate: false } },
    ],
  },
});
