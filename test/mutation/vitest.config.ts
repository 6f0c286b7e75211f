import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mergeConfig } from 'vitest/config';
import base from '../suite.config.js';
import { instrument } from './mutants.js';

/** The file that is mutated, from the root of the repository. */
const file = fileURLToPath(new URL(`../../${process.env.MUTATED_FILE ?? ''}`, import.meta.url));

// What a mutant leaves behind is no fault of the tests, where many mutants share one process.
const setupFiles = (base.test?.setupFiles as string[]).filter(
  (one) => process.env.MUTANT !== undefined || !one.endsWith('nothing-left.ts'),
);

export default mergeConfig(
  { ...base, test: { ...base.test, setupFiles } },
  {
    plugins: [
      {
        name: 'mutants',
        enforce: 'pre',
        load: (id: string) => (id === file ? instrument(file, readFileSync(file, 'utf8')).code : undefined),
      },
    ],
    test: {
      runner: fileURLToPath(new URL('runner.ts', import.meta.url)),
      maxWorkers: 1,
      fileParallelism: false,
      // A mutant that was left behind may fail after its round: only the result of a round counts.
      dangerouslyIgnoreUnhandledErrors: process.env.MUTANT === undefined,
      bail: process.env.MUTANT === undefined ? 0 : 1,
      // A mutant may make a test wait in vain; a pass of the test without it, right after, is the control.
      expect: { poll: { timeout: 2_500 } },
      // The rounds of a test are many here: its own limit is for one.
      testTimeout: 3_600_000,
    },
  },
);
