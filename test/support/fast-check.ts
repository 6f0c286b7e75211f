/** What tests get as `fast-check` (suite.config.ts): itself, with the seed of the run for every property and sample. */
import { createRequire } from 'node:module';
import type * as FastCheck from 'fast-check';

const { default: fc } = createRequire(import.meta.url)('fast-check') as typeof FastCheck;
fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED) });

export default fc;
