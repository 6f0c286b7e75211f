import { describe, expect, test } from 'vitest';
import {
  DEFAULT_PROBATION,
  Probation,
  resolveProbation,
  type ProbationPolicy,
} from '../../src/supervisor/switching/probation.js';

const trialOf = (o: Partial<ProbationPolicy> = {}, usualMs?: number) =>
  new Probation({ ...DEFAULT_PROBATION, ...o }, usualMs);

const repeat = (times: number, act: () => { state: string }) =>
  Array.from({ length: times }, () => act().state);

test('passes with the call that fills its number, not before', () => {
  const trial = trialOf({ calls: 20 });
  expect(repeat(20, () => trial.called('ok', 1))).toEqual([...Array<string>(19).fill('running'), 'passed']);
});

test('passes when its time is up', () => {
  expect(trialOf().timeIsUp()).toEqual({ state: 'passed' });
});

test('is judged by the calls there were when its time is up: exactly a fifth of errors is borne, one more is not', () => {
  const fair = trialOf({ maxErrorRate: 0.2 });
  repeat(4, () => fair.called('ok', 1));
  fair.called('error', 1);
  expect(fair.timeIsUp()).toEqual({ state: 'passed' });
  const bad = trialOf({ maxErrorRate: 0.2 });
  repeat(3, () => bad.called('ok', 1));
  bad.called('error', 1);
  expect(bad.timeIsUp()).toEqual({ state: 'failed', why: '1 of 4 calls failed' });
});

test('of fewer calls than are judged otherwise is judged by them all, with the last one', () => {
  const trial = trialOf({ calls: 3, minCalls: 10 });
  expect(repeat(3, () => trial.called('error', 1))).toEqual(['running', 'running', 'failed']);
});

test('of as many calls as there are numbers takes no memory for them', () => {
  const trial = trialOf({ calls: Number.MAX_SAFE_INTEGER, minCalls: 600, maxLatencyRatio: 3 }, 10);
  expect(repeat(599, () => trial.called('ok', 31)).at(-1)).toBe('running');
  expect(trial.called('ok', 31).state).toBe('failed');
});

test('fails with the third crash, not with the second', () => {
  const trial = trialOf({ maxCrashes: 3 });
  expect(repeat(3, () => trial.crashed())).toEqual(['running', 'running', 'failed']);
  expect(trial.verdict).toMatchObject({ why: 'its workers crashed 3 times' });
});

test('fails at once when the circuit opens', () => {
  expect(trialOf().crashed(true).state).toBe('failed');
});

describe('the share of timeouts', () => {
  test('of exactly a tenth is borne, and one more fails the trial', () => {
    const trial = trialOf({ maxTimeoutRate: 0.1 });
    repeat(18, () => trial.called('ok', 1));
    expect(repeat(3, () => trial.called('timeout', 0))).toEqual(['running', 'running', 'failed']);
    expect(trial.verdict).toMatchObject({ why: '3 of 21 calls timed out' });
  });

  test('is not judged before the least number of calls', () => {
    const trial = trialOf({ minCalls: 10, maxTimeoutRate: 0.1 });
    expect(repeat(9, () => trial.called('timeout', 0)).at(-1)).toBe('running');
    expect(trial.called('timeout', 0).state).toBe('failed');
  });
});

test('a share of errors of exactly a fifth is borne, and one more fails the trial', () => {
  const trial = trialOf({ maxErrorRate: 0.2 });
  repeat(16, () => trial.called('ok', 1));
  expect(repeat(5, () => trial.called('error', 1))).toEqual([...Array<string>(4).fill('running'), 'failed']);
  expect(trial.verdict).toMatchObject({ why: '5 of 21 calls failed' });
});

describe('latency', () => {
  test('of exactly three times the usual is borne, and a hair more fails the trial', () => {
    const fair = trialOf({ maxLatencyRatio: 3 }, 10);
    expect(repeat(10, () => fair.called('ok', 30)).at(-1)).toBe('running');
    const slow = trialOf({ maxLatencyRatio: 3 }, 10);
    expect(repeat(10, () => slow.called('ok', 30.001))).toEqual([
      ...Array<string>(9).fill('running'),
      'failed',
    ]);
  });

  test('is not judged where nothing is known of the version before', () => {
    const trial = trialOf({ maxLatencyRatio: 1 });
    expect(repeat(50, () => trial.called('ok', 1_000)).at(-1)).toBe('running');
  });
});

test('a verdict stands, whatever comes after it', () => {
  const passed = trialOf({ calls: 1, minCalls: 1 });
  passed.called('ok', 1);
  expect(passed.crashed(true)).toEqual({ state: 'passed' });
  const failed = trialOf();
  failed.crashed(true);
  expect(failed.timeIsUp().state).toBe('failed');
});

test('a verdict is not changed by calls that come later', () => {
  const passed = trialOf({ calls: 2, minCalls: 1 });
  repeat(2, () => passed.called('ok', 1));
  repeat(20, () => passed.called('error', 1));
  expect(passed.verdict).toEqual({ state: 'passed' });
  const failed = trialOf({ calls: 2, minCalls: 1 });
  failed.called('error', 1);
  repeat(20, () => failed.called('error', 1));
  expect(failed.verdict).toEqual({ state: 'failed', why: '1 of 1 calls failed' });
});

test('a failed trial says what it failed by: a circuit, and the median beside the usual one', () => {
  const crashed = trialOf();
  crashed.crashed(true);
  expect(crashed.verdict).toMatchObject({ why: 'it crashed until its circuit opened' });
  const slow = trialOf({ minCalls: 1, maxLatencyRatio: 2 }, 10);
  expect(slow.called('ok', 31)).toEqual({
    ...{ state: 'failed', why: 'its calls took 31.0 ms in the middle, where 10.0 ms were usual' },
  });
});

test('latency is judged by the median: four slow answers of ten are borne', () => {
  const trial = trialOf({ minCalls: 10 }, 10);
  repeat(6, () => trial.called('ok', 1));
  expect(repeat(4, () => trial.called('ok', 1_000)).at(-1)).toBe('running');
});

test('of as many calls as there are numbers 512 answers are enough for the latency', () => {
  const trial = trialOf({ calls: 10_000, minCalls: 600, maxErrorRate: 1 }, 10);
  repeat(511, () => trial.called('ok', 100));
  expect(repeat(89, () => trial.called('error', 1)).at(-1)).toBe('running');
  expect(trial.called('ok', 100).state).toBe('failed');
});

describe('with a sequential test', () => {
  test('the number of calls bounds neither the least of them nor the answers whose median is taken', () => {
    const trial = trialOf({ test: {}, calls: 2, minCalls: 10 }, 1);
    expect(repeat(10, () => trial.called('ok', 50))).toEqual([...Array<string>(9).fill('running'), 'failed']);
  });

  test('32 calls without a fault are enough', () => {
    const trial = trialOf({ test: {}, calls: 5 });
    expect(repeat(32, () => trial.called('ok', 1))).toEqual([...Array<string>(31).fill('running'), 'passed']);
  });
});

describe('options', () => {
  test('that are left out, or undefined, have their defaults', () => {
    const defaults = {
      ...{ calls: 200, durationMs: 60_000, maxCrashes: 3, minCalls: 10 },
      ...{ maxTimeoutRate: 0.1, maxErrorRate: 0.2, maxLatencyRatio: 3 },
    };
    expect(DEFAULT_PROBATION).toEqual(defaults);
    expect(resolveProbation({})).toEqual(defaults);
    expect(resolveProbation({ calls: undefined, minCalls: 4 })).toEqual({ ...defaults, minCalls: 4 });
    expect(resolveProbation({ test: { alpha: 0.01 } })).toMatchObject({ test: { alpha: 0.01 } });
  });

  test('of a test whose rates are not apart are refused by their path', () => {
    const path = 'probation.test.rejectableRate';
    expect(() => resolveProbation({ test: { acceptableRate: 0.2, rejectableRate: 0.1 } })).toThrow(
      expect.objectContaining({ code: 'invalid_params', details: { path } }) as Error,
    );
  });
});
