import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Pictures that other tools write at the time of the test: `npm run test:pictures`. It takes a minute, so it is no part of `npm test`. */
export default defineConfig({
  root: fileURLToPath(new URL('../../', import.meta.url)),
  test: {
    include: ['test/pictures/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
