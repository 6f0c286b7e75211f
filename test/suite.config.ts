import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { OUTSIDE_TESTS } from './support/outside-tests.js';

const source = (file: string) => fileURLToPath(new URL(`../src/${file}`, import.meta.url));

/** Of all generated inputs of this run; printed at its begin. `PROPERTY_SEED=N npm test` generates them again. */
process.env.PROPERTY_SEED ??= String(Date.now() % 2 ** 31);

/** What every run of tests has: those of the suite (`vitest.config.ts`), and those that have a script of their own. */
export default defineConfig({
  resolve: {
    alias: [
      { find: 'procvision-runner/fleet', replacement: source('fleet/index.ts') },
      { find: 'procvision-runner/http', replacement: source('http/index.ts') },
      { find: 'procvision-runner/outbox', replacement: source('outbox/index.ts') },
      { find: 'procvision-runner/recording', replacement: source('recording/index.ts') },
      { find: 'procvision-runner/signing', replacement: source('signing/index.ts') },
      { find: 'procvision-runner/telemetry', replacement: source('telemetry/index.ts') },
      { find: 'procvision-runner/testing', replacement: source('testing/index.ts') },
      { find: 'procvision-runner/types', replacement: source('types.ts') },
      {
        find: /^fast-check$/,
        replacement: fileURLToPath(new URL('support/fast-check.ts', import.meta.url)),
      },
      { find: /^procvision-runner$/, replacement: source('index.ts') },
    ],
  },
  test: {
    setupFiles: ['test/support/setup.ts', 'test/support/nothing-left.ts'],
    reporters: ['default', 'test/support/closing-line.ts'],
    globalSetup: [
      'test/support/no-segments.ts',
      'test/support/print-seed.ts',
      'test/support/straight-python.ts',
    ],
    include: ['test/**/*.test.ts'],
    // They need the build, what is installed for them, or a minute: npm run check:package, test:bundlers, test:clients, test:pictures, test:outside.
    exclude: ['test/tarball/**', 'test/bundlers/**', 'test/clients/**', 'test/pictures/**', ...OUTSIDE_TESTS],
    // Wine asks a process of its own for each file, which takes several times as long.
    testTimeout: process.env.PROCVISION_TEST_WINE === '1' ? 180_000 : 60_000,
    hookTimeout: 60_000,
    // What is waited for comes when it comes: a busy machine is no fault of the code.
    expect: { poll: { timeout: 15_000 } },
    pool: 'forks',
    // Twice the cores of the smallest machine: a good part of many tests is waiting for processes and limits.
    maxWorkers: 4,
  },
});
