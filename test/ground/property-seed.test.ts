import fc from 'fast-check';
import { expect, test } from 'vitest';

test('properties and samples take the seed that the run has printed', () => {
  const seed = Number(process.env.PROPERTY_SEED);
  expect(seed).toBeGreaterThan(0);
  expect(fc.readConfigureGlobal().seed).toBe(seed);
  expect(fc.sample(fc.nat(), 5)).toEqual(fc.sample(fc.nat(), { numRuns: 5, seed }));
});
