import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeAttempt } from '../../../src/outbox/delivery/lanes/attempt.js';
import { backoffMs } from '../../../src/outbox/delivery/lanes/backoff.js';
import { TokenBucket } from '../../../src/outbox/delivery/lanes/token-bucket.js';
import { piecesOf } from '../../../src/outbox/delivery/targets/port.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';

const bounds = { leastMs: 1_000, mostMs: 60_000 };

test('the delay doubles with each failure up to its bound', () => {
  const delays = [1, 2, 3, 6, 7, 8, 1_000].map((failures) => backoffMs(failures, bounds, () => 1));
  expect(delays).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
});

test('chance takes up to a half of a delay; Retry-After is the least, an hour the most', () => {
  fc.assert(
    fc.property(
      fc.nat(100),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.nat(10_000_000),
      (n, chance, after) => {
        const plain = backoffMs(n, bounds, () => 1);
        const delay = backoffMs(n, bounds, () => chance, after);
        expect(delay).toBeGreaterThanOrEqual(Math.min(after, 3_600_000));
        expect(delay).toBeGreaterThanOrEqual(plain / 2);
        expect(delay).toBeLessThanOrEqual(Math.max(plain, 3_600_000));
      },
    ),
  );
});

test('a source in chunks of any length comes in pieces of one length', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.integer({ min: 1, max: 40 }),
      async (chunks, length) => {
        const pieces = [];
        const source = (async function* () {
          for (const chunk of chunks) yield await Promise.resolve(chunk);
        })();
        for await (const piece of piecesOf(source, length)) pieces.push(piece);
        expect(Buffer.concat(pieces)).toEqual(Buffer.concat(chunks));
        expect(pieces.slice(0, -1).every((piece) => piece.length === length)).toBe(true);
      },
    ),
  );
});

const never = () => new Promise<never>(() => undefined);

test('a target that hangs and hears no signal is left behind', async () => {
  const clock = new VirtualClock();
  const bucket = new TokenBucket(clock, undefined);
  const { signal } = new AbortController();
  const outcome = makeAttempt(never, { limitMs: 100, clock, bucket, signal });
  clock.advance(100);
  clock.advance(2_000);
  expect(await outcome).toMatchObject({ state: 'failed', cause: 'network' });
  expect(clock.pending).toBe(0);
});

test('waits for the limit of bandwidth do not count as time of the attempt', async () => {
  const clock = new VirtualClock();
  const bucket = new TokenBucket(clock, 1_000);
  const { signal } = new AbortController();
  const outcome = makeAttempt(
    async (attempt) => {
      for (let piece = 0; piece < 5; piece++) await attempt.pace(1_000);
      return attempt.signal.aborted ? { state: 'refused', reason: 'too late' } : { state: 'taken' };
    },
    { limitMs: 100, clock, bucket, signal },
  );
  for (let second = 0; second < 5; second++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
  }
  expect(await outcome).toEqual({ state: 'taken' });
});
