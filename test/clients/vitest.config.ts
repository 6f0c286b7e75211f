import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import suite from '../suite.config.js';

/** The handler under clients, linters and fuzzers of others: they are installed for it, so it is no part of `npm test`. */
export default defineConfig({
  ...suite,
  root: fileURLToPath(new URL('../../', import.meta.url)),
  test: {
    ...suite.test,
    include: ['test/clients/*.test.ts'],
    exclude: [],
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
