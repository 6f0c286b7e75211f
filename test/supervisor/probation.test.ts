import { describe, expect, test } from 'vitest';
import {
  DEFAULT_PROBATION,
  Probation,
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
