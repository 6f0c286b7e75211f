import { describe, expect, test } from 'vitest';
import { RunnerError, type RunnerErrorCode } from '../../src/errors.js';
import { bothIds } from '../../src/product-ids.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import { trialGround } from '../support/on-trial.js';

const failure = (code: RunnerErrorCode) => new RunnerError(code as 'internal', code);
const YOUNG = { name: 'sample', version: '2' };

/** Watches one event in the trial of version 2 for `A` and `B`: what of it was counted. */
async function listener() {
  const { canaries, begin } = await trialGround();
  return async (name: keyof SupervisorEvents, event: object) => {
    // One error before, so that an answer that is right shows in the number of calls.
    const calls = begin({ minCalls: 1_000, calls: 1_000, maxErrorRate: 0.1, maxTimeoutRate: 0.1 });
    const crashes = begin({ maxCrashes: 2 });
    calls.probation.called('error', 1);
    canaries.watch(name, event as never);
    const verdicts = [calls.probation.timeIsUp(), crashes.probation.crashed(), crashes.probation.verdict].map(
      (verdict) => ('why' in verdict ? verdict.why : verdict.state),
    );
    await canaries.close();
    return verdicts.slice(0, 2).join('; ');
  };
}

const NOTHING = '1 of 1 calls failed; running';
const OK = '1 of 2 calls failed; running';
const ERROR = '2 of 2 calls failed; running';
const TIMEOUT = '1 of 2 calls timed out; running';
const CRASH = '1 of 1 calls failed; its workers crashed 2 times';

test('what events mean for a trial: answers and failures of its product ids, crashes of its version', async () => {
  const heard = await listener();
  const result = (status: string, productId?: string, version = '2') => ({
    ...{ name: 'sample', version, ...(productId === undefined ? {} : bothIds(productId)) },
    result: { status, timing: { totalMs: 1 } },
  });
  const failed = (code: RunnerErrorCode, productId: string | undefined = 'A') => ({
    ...{ ...YOUNG, ...(productId === '' ? {} : bothIds(productId)), error: failure(code) },
  });
  const exit = (code?: RunnerErrorCode, about: object = {}) => ({
    ...{ ...YOUNG, ...about, ...(code && { error: failure(code) }) },
  });
  const expected: [keyof SupervisorEvents, object, string][] = [
    ['result', result('OK', 'A'), OK],
    ['result', result('ERROR', 'B'), ERROR],
    ['result', result('ERROR', 'C'), NOTHING],
    ['result', result('ERROR'), NOTHING],
    ['result', result('ERROR', 'A', '1'), NOTHING],
    ['result', { ...result('ERROR', 'A'), name: 'other' }, NOTHING],
    ['callFailed', failed('timeout'), TIMEOUT],
    ['callFailed', failed('heartbeat_lost'), TIMEOUT],
    ['callFailed', failed('worker_exited'), ERROR],
    ['callFailed', failed('protocol_error'), ERROR],
    ['callFailed', failed('contract_violation'), ERROR],
    ['callFailed', failed('start_failed'), ERROR],
    ['callFailed', failed('queue_full'), NOTHING],
    ['callFailed', failed('aborted'), NOTHING],
    ['callFailed', failed('invalid_image'), NOTHING],
    ['callFailed', failed('timeout', 'C'), NOTHING],
    ['callFailed', failed('timeout', ''), NOTHING],
    ['exit', exit('worker_exited'), CRASH],
    ['exit', exit('heartbeat_lost'), CRASH],
    ['exit', exit('protocol_error'), CRASH],
    ['exit', exit('start_failed'), CRASH],
    ['exit', exit('timeout'), NOTHING],
    ['exit', exit(), NOTHING],
    ['exit', exit('worker_exited', { version: '1' }), NOTHING],
    ['exit', exit('worker_exited', { name: 'other' }), NOTHING],
    ['log', exit('worker_exited'), NOTHING],
    ['log', { ...YOUNG, productId: 'A', message: 'x' }, NOTHING],
  ];
  const found = [];
  for (const [name, event] of expected) found.push([name, event, await heard(name, event)]);
  expect(found).toEqual(expected);
});

test('a crash of the circuit fails the trial at once: the version before serves again, and all is told once', async () => {
  const { canaries, begin, told, servedBy, old, young, retirement, clock } = await trialGround();
  const { pending } = clock;
  begin();
  expect([old.isKept, clock.pending]).toEqual([true, pending + 1]);
  canaries.watch('circuitOpen', { ...YOUNG, version: '1' } as never);
  canaries.watch('circuitOpen', YOUNG as never);
  canaries.watch('circuitOpen', YOUNG as never); // the trial is over
  expect([old.isKept, clock.pending]).toEqual([true, pending]);
  await canaries.close();
  await retirement.settled();
  const reason = 'it crashed until its circuit opened';
  const ids = { productIds: ['A', 'B'], pids: ['A', 'B'] };
  expect(told).toEqual([
    { name: 'switchedBack', event: { ...YOUNG, ...ids, to: [{ name: 'sample', version: '1' }], reason } },
    { name: 'drained', event: YOUNG },
  ]);
  expect(await servedBy()).toEqual(['1', '1']);
  expect([old.isKept, old.isEnding, young.isEnding]).toEqual([false, false, true]);
  expect([...old.servedPids]).toEqual(['A', 'B']);
});

test('a trial that is passed is told with its ids, and the version before is no longer kept', async () => {
  const { begin, answer, told, old, young, retirement, clock } = await trialGround();
  const { pending } = clock;
  begin({ calls: 2, minCalls: 1 }, [old], ['A']);
  answer('OK');
  expect(told).toEqual([]);
  answer('OK');
  const passed = { ...YOUNG, productIds: ['A'], pids: ['A'] };
  expect(told).toEqual([
    { name: 'accepted', event: passed },
    { name: 'probationPassed', event: passed },
  ]);
  expect(clock.pending).toBe(pending);
  await retirement.settled();
  expect([old.isEnding, young.isEnding]).toEqual([true, false]);
});

test('an answer that is right is a success for a sequential test too', async () => {
  const { begin, answer } = await trialGround();
  const trial = begin({ test: {} });
  answer('OK');
  expect(trial.probation.timeIsUp()).toEqual({ state: 'passed' });
});

test('the trial of a version is told with the ids of all its trials, and each version before once', async () => {
  const { canaries, begin, old, young, third } = await trialGround();
  expect(canaries.trialOf(young)).toBeUndefined();
  begin({}, [old], ['A']);
  begin({}, [old, third], ['B']);
  expect(canaries.trialOf(young)).toEqual({
    productIds: ['A', 'B'],
    from: [
      { name: 'sample', version: '1' },
      { name: 'sample', version: '3' },
    ],
  });
  expect(canaries.trialOf(old)).toBeUndefined();
  canaries.supersede(['A']);
  expect(canaries.trialOf(young)?.productIds).toEqual(['B']);
  await canaries.close();
  expect(canaries.trialOf(young)).toBeUndefined();
});

describe('latency', () => {
  test('of the version before is its median', async () => {
    const { begin, answer, old } = await trialGround();
    for (let n = 0; n < 8; n++) old.latency.add(10);
    for (let n = 0; n < 2; n++) old.latency.add(1_000);
    const trial = begin({ minCalls: 1, maxLatencyRatio: 1 });
    answer('OK', { totalMs: 20 });
    expect(trial.probation.verdict.state).toBe('failed');
  });

  test('is held against the slower of the versions before', async () => {
    const { begin, answer, old, third } = await trialGround();
    old.latency.add(10);
    third.latency.add(20);
    const trial = begin({ minCalls: 1, maxLatencyRatio: 1 }, [old, third]);
    answer('OK', { totalMs: 20 });
    expect(trial.probation.verdict.state).toBe('running');
    answer('OK', { totalMs: 21 });
    answer('OK', { totalMs: 21 });
    expect(trial.probation.verdict).toMatchObject({ state: 'failed' });
  });

  test('of one version before is enough, and of none nothing is compared', async () => {
    const { begin, answer, old, third } = await trialGround();
    const none = begin({ minCalls: 1, maxLatencyRatio: 1 }, [third]);
    old.latency.add(10);
    const one = begin({ minCalls: 1, maxLatencyRatio: 1 }, [third, old]);
    answer('OK', { totalMs: 10.5 });
    expect(none.probation.verdict.state).toBe('running');
    expect(one.probation.verdict.state).toBe('failed');
  });
});

describe('a version before that is started later', () => {
  test('is kept while the trial runs, and released with it', async () => {
    const { canaries, begin, third } = await trialGround();
    const trial = begin();
    canaries.keep(trial, third);
    expect([third.isKept, trial.before.map(({ deployment }) => deployment.entry.version)]).toEqual([
      true,
      ['1', '3'],
    ]);
    await canaries.close();
    expect(third.isKept).toBe(false);
  });

  test('ends when the trial is over by then', async () => {
    const { canaries, begin, third, retirement } = await trialGround();
    const trial = begin();
    await canaries.close();
    canaries.keep(trial, third);
    await retirement.settled();
    expect([third.isKept, third.isEnding, trial.before.length]).toEqual([false, true, 1]);
  });
});

describe('ids that are mapped anew', () => {
  test('here leave the trial, which ends without a verdict when it has none left', async () => {
    const { canaries, begin, answer, names, old, retirement, clock } = await trialGround();
    const { pending } = clock;
    const trial = begin({ calls: 1, minCalls: 1 });
    const other = begin({}, [old], ['B']);
    canaries.supersede(['A']);
    expect([[...trial.pids], [...other.pids], old.isKept]).toEqual([['B'], ['B'], true]);
    answer('OK', { productId: 'A' });
    expect(trial.probation.verdict.state).toBe('running');
    canaries.supersede(['B']);
    expect([clock.pending, old.isKept]).toEqual([pending, false]);
    await retirement.settled();
    expect([names(), old.isEnding]).toEqual([['drained'], true]);
  });

  test('by another process do so as well: to another version, or to none', async () => {
    const { canaries, begin, old, names, retirement } = await trialGround();
    const trial = begin();
    const mapping = (version: string, name = 'sample') => ({ name, version });
    canaries.follow({ A: mapping('2'), B: mapping('2') });
    expect([...trial.pids]).toEqual(['A', 'B']);
    canaries.follow({ A: mapping('2'), B: mapping('3') });
    expect([[...trial.pids], old.isKept]).toEqual([['A'], true]);
    canaries.follow({ B: mapping('2') });
    expect([[...trial.pids], old.isKept]).toEqual([[], false]);
    await retirement.settled();
    expect([names(), old.isEnding]).toEqual([['drained'], true]);
  });
});

describe('a way back', () => {
  const failed = { ...YOUNG };

  const FALLS = { maxCrashes: 1, coolDownMs: 600_000 };

  test('closes the circuit of the version that serves again, waits for it, and leaves that of another alone', async () => {
    const { canaries, begin, fell, old, third, servedBy, names } = await trialGround(FALLS);
    await Promise.all([fell(old), fell(third)]);
    begin({}, [old, third]);
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    expect([old.pool.circuit, old.pool.ready !== undefined, third.pool.circuit]).toEqual([
      ...['closed', true],
      'open',
    ]);
    expect([await servedBy(), names()]).toEqual([['1', '1'], ['switchedBack']]);
  });

  test('of ids that were served by two versions has both of these serve again', async () => {
    const { canaries, begin, fell, registry, old, third, servedBy } = await trialGround(FALLS);
    for (const version of ['3', '2']) await registry.switch({ name: 'sample', version, productIds: ['B'] });
    await Promise.all([fell(old), fell(third)]);
    begin({}, [old, third]);
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    expect([old.pool.circuit, third.pool.circuit]).toEqual(['closed', 'closed']);
    expect(await servedBy()).toEqual(['1', '3']);
  });

  test('to a version that cannot start is told as an error with its code and facts, of no id: all are mapped', async () => {
    const { canaries, begin, fell, broken, old, told, servedBy } = await trialGround(FALLS);
    await fell(old);
    broken.add('1');
    begin();
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    expect(told.map(({ name }) => name)).toEqual(['switchedBack', 'error']);
    expect(told[1]?.event).toMatchObject({
      ...YOUNG,
      error: { code: 'circuit_open', details: { ...YOUNG, productIds: [], output: [] } },
    });
    expect(await servedBy()).toEqual(['1', '1']);
  });

  test('that has nothing to go back to is told as an error with what is left, and the new version stays', async () => {
    const { canaries, begin, told, servedBy, registry, young, old, retirement } = await trialGround();
    begin();
    await registry.unregister('sample', '1', { force: true });
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    await retirement.settled();
    expect(told).toMatchObject([
      {
        name: 'error',
        event: {
          ...YOUNG,
          error: {
            code: 'not_found',
            message: expect.stringMatching(
              /^sample 2 failed its trial \(it crashed until its circuit opened\), and the way back failed too: /,
            ) as string,
            details: { ...YOUNG, productIds: ['A', 'B'], reason: 'it crashed until its circuit opened' },
          },
        },
      },
    ]);
    expect([await servedBy(), young.isEnding, old.isKept]).toEqual([['2', '2'], false, false]);
  });

  test('of which one id is left tells of both: what went back, and what did not', async () => {
    const { canaries, begin, told, servedBy, registry, retirement } = await trialGround();
    begin();
    // `B` has been with version 2 alone.
    await registry.deactivate({ productIds: ['B'] });
    await registry.activate({ ...YOUNG, productIds: ['B'] });
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    await retirement.settled();
    expect(told).toMatchObject([
      { name: 'switchedBack', event: { pids: ['A'] } },
      { name: 'error', event: { error: { code: 'not_found', details: { productIds: ['B'] } } } },
    ]);
    expect(await servedBy()).toEqual(['1', '2']);
  });

  test('of ids that were moved on meanwhile changes nothing, tells nothing, and ends the version', async () => {
    const { canaries, begin, told, servedBy, registry, retirement, young } = await trialGround();
    begin();
    await registry.switch({ name: 'sample', version: '3', productIds: ['A', 'B'] });
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    await retirement.settled();
    expect(told).toEqual([{ name: 'drained', event: YOUNG }]);
    expect([await servedBy(), young.isEnding]).toEqual([['3', '3'], true]);
  });

  test('that a close of the registry cuts off is told nowhere', async () => {
    const { canaries, begin, told, registry } = await trialGround();
    begin();
    await registry.close();
    canaries.watch('circuitOpen', failed as never);
    await canaries.close();
    expect(told).toEqual([]);
  });
});
