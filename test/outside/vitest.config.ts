import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { OUTSIDE_TESTS } from '../support/outside-tests.js';
import suite from '../suite.config.js';

/** The suite's tests that need a package index or a browser: `npm run test:outside`. */
export default defineConfig({
  ...suite,
  root: fileURLToPath(new URL('../../', import.meta.url)),
  // One file at a time: a browser needs a core of its own. The first run downloads.
  test: {
    ...suite.test,
    include: OUTSIDE_TESTS,
    exclude: [],
    maxWorkers: 1,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
