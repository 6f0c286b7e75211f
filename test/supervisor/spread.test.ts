import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Spread } from '../../src/supervisor/deployments/splits.js';

const share = fc.double({ min: 0.001, max: 1, noNaN: true });
const take = (spread: Spread, part: number, count: number) =>
  Array.from({ length: count }, () => spread.next(part));
const countOf = (taken: readonly boolean[]) => taken.filter(Boolean).length;

describe('the spread of a share over units', () => {
  test('any stretch of any share has its share, to within a few units however long it is', () => {
    fc.assert(
      fc.property(share, fc.nat(20_000), fc.integer({ min: 1, max: 20_000 }), (part, skipped, count) => {
        const spread = new Spread();
        take(spread, part, skipped);
        const off = countOf(take(spread, part, count)) - part * count;
        expect(Math.abs(off)).toBeLessThan(2 + Math.log10(count));
      }),
    );
  });

  test('the first unit is of the share, and two gaps between its units differ by a factor of 2.7 at most', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1, noNaN: true }), (part) => {
        const taken = take(new Spread(), part, 3_000);
        expect(taken[0]).toBe(true);
        const at = taken.flatMap((isTaken, index) => (isTaken ? [index] : []));
        const gaps = at.slice(1).map((index, n) => index - (at[n] ?? 0));
        // The three-gap theorem: two lengths and their sum.
        expect(new Set(gaps).size).toBeLessThanOrEqual(3);
        expect(Math.max(...gaps)).toBeLessThanOrEqual(2.7 / part);
        if (part < 0.38) expect(Math.min(...gaps)).toBeGreaterThan(1); // never two in a row
      }),
    );
  });

  test('each place of boards with 2 to 32 steps has its share: none is always at the one version', () => {
    for (let steps = 2; steps <= 32; steps++) {
      const taken = take(new Spread(), 0.1, steps * 1_000);
      for (let step = 0; step < steps; step++) {
        const of = countOf(taken.filter((_, index) => index % steps === step));
        expect(Math.abs(of - 100), `step ${step} of ${steps}`).toBeLessThan(15);
      }
    }
  });

  test('a unit that is of a share is of each larger share', () => {
    fc.assert(
      fc.property(share, share, (a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const [small, large] = [take(new Spread(), less, 500), take(new Spread(), more, 500)];
        expect(small.every((isTaken, index) => !isTaken || large[index])).toBe(true);
      }),
    );
  });

  test('a share of 1 has all, and one of 0 none', () => {
    expect(countOf(take(new Spread(), 1, 1_000))).toBe(1_000);
    expect(countOf(take(new Spread(), 0, 1_000))).toBe(0);
  });
});
