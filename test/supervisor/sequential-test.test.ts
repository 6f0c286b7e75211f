import { describe, expect, test } from 'vitest';
import { DEFAULT_PROBATION, Probation } from '../../src/supervisor/switching/probation.js';
import {
  DEFAULT_SEQUENTIAL_TEST,
  resolveSequentialTest,
  SEQUENTIAL_TEST_BOUNDS,
  SequentialTest,
} from '../../src/supervisor/switching/sequential-test.js';

test('what holds unless said otherwise, and the bounds of each option', () => {
  expect(DEFAULT_SEQUENTIAL_TEST).toEqual({
    ...{ acceptableRate: 0.01, rejectableRate: 0.1, alpha: 0.05, beta: 0.05 },
  });
  expect(SEQUENTIAL_TEST_BOUNDS).toEqual({
    acceptableRate: [1e-9, 1 - 1e-9],
    rejectableRate: [1e-9, 1],
    alpha: [1e-9, 0.5],
    beta: [1e-9, 0.5],
  });
});

test('options that are left out are filled in, and those that are given stay', () => {
  expect(resolveSequentialTest({}, 'x()')).toEqual(DEFAULT_SEQUENTIAL_TEST);
  const given = { acceptableRate: 0.2, rejectableRate: 0.3, alpha: 0.01, beta: 0.02 };
  expect(resolveSequentialTest(given, 'x()')).toEqual(given);
});

test.each([
  [{ acceptableRate: 0.2, rejectableRate: 0.2 }, undefined, 'rejectableRate'],
  [{ acceptableRate: 0.2 }, 'test.rejectableRate', 'test.rejectableRate'],
])('rates that are not apart are refused by name: %j', (given, path, named) => {
  const resolve = () => resolveSequentialTest(given, 'x()', path);
  expect(resolve).toThrow(
    expect.objectContaining({ code: 'invalid_params', details: { path: named } }) as Error,
  );
  expect(resolve).toThrow(`x(): ${named} must be above acceptableRate`);
});

test('a ratio that reaches a limit exactly decides, and counts the trials that led there', () => {
  const rejecting = new SequentialTest({ acceptableRate: 0.25, rejectableRate: 0.5, alpha: 0.5, beta: 0.1 });
  expect(rejecting.add(true)).toBe('rejected');
  expect(rejecting).toMatchObject({ decision: 'rejected', trials: 1, failures: 1, successesToAccept: 0 });
  const accepting = new SequentialTest({ acceptableRate: 0.5, rejectableRate: 0.75, alpha: 0.1, beta: 0.5 });
  expect(accepting.successesToAccept).toBe(1);
  expect(accepting.add(false)).toBe('accepted');
  expect(accepting).toMatchObject({ decision: 'accepted', trials: 1, failures: 0 });
});

test('a version is likelier bad after a failure, not before the first trial, nor after a success', () => {
  const sequential = new SequentialTest(DEFAULT_SEQUENTIAL_TEST);
  expect([sequential.isLikelierBad, sequential.trials, sequential.failures]).toEqual([false, 0, 0]);
  sequential.add(true);
  expect(sequential).toMatchObject({ isLikelierBad: true, decision: 'undecided', trials: 1, failures: 1 });
  // The failure weighs as much as 25 successes.
  expect(sequential.successesToAccept).toBe(56);
  const good = new SequentialTest(DEFAULT_SEQUENTIAL_TEST);
  good.add(false);
  expect(good).toMatchObject({ isLikelierBad: false, successesToAccept: 31, trials: 1, failures: 0 });
});

test('a ratio that is a little above one is likelier bad too', () => {
  const sequential = new SequentialTest({
    ...DEFAULT_SEQUENTIAL_TEST,
    acceptableRate: 0.25,
    rejectableRate: 0.5,
  });
  sequential.add(true);
  expect(sequential).toMatchObject({ decision: 'undecided', isLikelierBad: true });
});

test('a rejectable rate of 1 is refuted by one success', () => {
  const sequential = new SequentialTest({ ...DEFAULT_SEQUENTIAL_TEST, rejectableRate: 1 });
  expect(sequential.successesToAccept).toBe(1);
  expect(sequential.add(false)).toBe('accepted');
});

test('a decision is final: failures that come after acceptance change nothing', () => {
  const sequential = new SequentialTest(DEFAULT_SEQUENTIAL_TEST);
  const before = sequential.successesToAccept;
  for (let index = 1; index < before; index++) expect(sequential.add(false)).toBe('undecided');
  expect(sequential.successesToAccept).toBe(1);
  expect(sequential.add(false)).toBe('accepted');
  for (let index = 0; index < 50; index++) expect(sequential.add(true)).toBe('accepted');
  expect(sequential).toMatchObject({ trials: before, failures: 0, successesToAccept: 0 });
});

describe('a trial with a test', () => {
  const trialOf = (o: object = {}) => new Probation({ ...DEFAULT_PROBATION, test: {}, ...o });

  test('goes on past the fixed number of calls while nothing is decided', () => {
    const trial = trialOf({ calls: 5 });
    for (let index = 0; index < 6; index++) expect(trial.called('ok', 1).state).toBe('running');
  });

  test('counts timeouts and errors alike, and says how many failed', () => {
    const trial = trialOf();
    trial.called('error', 1);
    expect(trial.called('timeout', 0)).toEqual({ state: 'failed', why: '2 of 2 calls failed' });
  });

  test('ends as the calls make likelier when its time is up', () => {
    const good = trialOf();
    good.called('ok', 1);
    expect(good.timeIsUp()).toEqual({ state: 'passed' });
    const bad = trialOf();
    bad.called('error', 1);
    expect(bad.timeIsUp()).toEqual({
      state: 'failed',
      why: '1 of 1 calls failed before the sequential test could decide',
    });
    expect(trialOf().timeIsUp()).toEqual({ state: 'passed' });
  });

  test('still fails by crashes and by its latency', () => {
    expect(trialOf({ maxCrashes: 1 }).crashed().state).toBe('failed');
    const slow = new Probation({ ...DEFAULT_PROBATION, test: {} }, 1);
    const states = Array.from({ length: 10 }, () => slow.called('ok', 50).state);
    expect(states.at(-1)).toBe('failed');
  });
});
