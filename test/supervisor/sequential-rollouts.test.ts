import { describe, expect, test } from 'vitest';
import { DEFAULT_PROBATION, Probation } from '../../src/supervisor/switching/probation.js';
import {
  DEFAULT_SEQUENTIAL_TEST,
  type SequentialTestOptions,
} from '../../src/supervisor/switching/sequential-test.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { next, threeVersions, to } from '../support/three-versions.js';

/** xorshift32: numbers from 0 to 1, the same in each run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

const FIXED_CALLS = 200;
/** A version that the test cannot tell apart for longer than this would be a fault of the test. */
const MOST_CALLS = 100_000;

/** Trials of versions that fail this share of their calls, decided by the probation of a switch. */
function rollouts(count: number, failureRate: number, options: Partial<SequentialTestOptions>) {
  const random = randomNumbers(20_261_128);
  let failed = 0;
  let calls = 0;
  for (let index = 0; index < count; index++) {
    const trial = new Probation({ ...DEFAULT_PROBATION, test: options });
    let made = 0;
    while (trial.verdict.state === 'running' && made < MOST_CALLS) {
      trial.called(random() < failureRate ? 'error' : 'ok', 1);
      made++;
    }
    if (trial.verdict.state === 'failed') failed++;
    calls += made;
  }
  return { failedShare: failed / count, callsEach: calls / count };
}

describe('100,000 simulated rollouts hold the declared error rates', () => {
  const { acceptableRate, rejectableRate, alpha, beta } = DEFAULT_SEQUENTIAL_TEST;

  test('versions with the acceptable rate fail their trial in at most alpha of the cases, after half of 200 calls or fewer', () => {
    const { failedShare, callsEach } = rollouts(25_000, acceptableRate, {});
    expect(failedShare).toBeLessThanOrEqual(alpha);
    expect(failedShare).toBeGreaterThan(0);
    expect(callsEach).toBeLessThanOrEqual(FIXED_CALLS / 2);
  });

  test('versions with the rejectable rate pass it in at most beta of the cases, after half of 200 calls or fewer', () => {
    const { failedShare, callsEach } = rollouts(25_000, rejectableRate, {});
    expect(1 - failedShare).toBeLessThanOrEqual(beta);
    expect(1 - failedShare).toBeGreaterThan(0);
    expect(callsEach).toBeLessThanOrEqual(FIXED_CALLS / 2);
  });

  test('clear cases take a quarter of 200 calls at most: versions without a fault, and those that fail each third call', () => {
    const good = rollouts(12_500, 0, {});
    expect(good.failedShare).toBe(0);
    expect(good.callsEach).toBe(32);
    const bad = rollouts(12_500, 1 / 3, {});
    expect(bad.failedShare).toBeGreaterThan(0.999);
    expect(bad.callsEach).toBeLessThanOrEqual(FIXED_CALLS / 4);
  });

  test('bounds that differ hold each by itself, where Wald’s approximation bounds only their sum', () => {
    const strict = { acceptableRate: 0.05, rejectableRate: 0.15, alpha: 0.001, beta: 0.2 };
    expect(rollouts(12_500, 0.05, strict).failedShare).toBeLessThanOrEqual(0.001);
    const { failedShare } = rollouts(12_500, 0.15, strict);
    expect(1 - failedShare).toBeLessThanOrEqual(0.2);
    expect(1 - failedShare).toBeGreaterThan(0.1);
  });
});

describe('supervisor.switch with probation.test', () => {
  test('rates that are not apart are refused before anything is moved, and so in a dry run', async () => {
    const { supervisor, versions, ask } = await threeVersions({});
    await ask();
    for (const dryRun of [false, true]) {
      const probation = { test: { acceptableRate: 0.2, rejectableRate: 0.2 } };
      await expect(supervisor.switch({ ...to('2'), probation, dryRun })).rejects.toMatchObject({
        code: 'invalid_params',
        details: { path: 'probation.test.rejectableRate' },
      });
    }
    await expect(supervisor.switch({ ...to('2'), probation: { test: { alpha: 0 } } })).rejects.toMatchObject({
      code: 'invalid_params',
      details: { path: 'probation.test.alpha' },
    });
    expect(versions()).toEqual(['1']);
  });

  test('a version that answers ERROR is left by two answers, and a good one is accepted by the calls that show it', async () => {
    const failing = steeredAlgorithm().replace('asked = user_params or {}', 'raise ValueError("no")');
    const { supervisor, ask } = await threeVersions({ sources: { 2: failing } });
    await ask();
    await supervisor.switch({ ...to('2'), probation: { test: {} } });
    const back = next(supervisor, 'switchedBack');
    for (let n = 0; n < 2; n++) expect(await ask()).toMatchObject({ status: 'ERROR', version: '2' });
    expect(await back).toMatchObject({ reason: '2 of 2 calls failed' });

    const accepted = next(supervisor, 'accepted');
    await supervisor.switch({ ...to('3'), probation: { test: { rejectableRate: 0.9 } } });
    for (let n = 0; n < 2; n++) expect(await ask()).toMatchObject({ status: 'OK', version: '3' });
    expect(await accepted).toMatchObject({ version: '3' });
  });
});
