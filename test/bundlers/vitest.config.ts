import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The packed tarball in bundles of many kinds; it needs the build, so it is no part of `npm test`. */
export default defineConfig({
  root: fileURLToPath(new URL('../../', import.meta.url)),
  test: {
    include: ['test/bundlers/*.test.ts'],
    globalSetup: ['test/tarball/scratch-project.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
