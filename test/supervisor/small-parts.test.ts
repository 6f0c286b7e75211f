import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RunnerError, type RunnerErrorCode } from '../../src/errors.js';
import { Deadline } from '../../src/supervisor/clock.js';
import { LatencyWindow } from '../../src/supervisor/latency.js';
import { DEFAULT_SUPERVISOR_POLICY, resolvePolicy } from '../../src/supervisor/policy.js';
import { parseStat, readProcessUsage } from '../../src/supervisor/pool/process-usage.js';
import { isFailureRetried, isReplyRetried } from '../../src/supervisor/pool/retry.js';
import type { WorkerReply } from '../../src/worker/types.js';
import { VirtualClock } from '../../src/testing/index.js';

describe('LatencyWindow', () => {
  test('gives nearest-rank percentiles of 1 to 100', () => {
    const window = new LatencyWindow(100);
    for (let ms = 100; ms >= 1; ms--) window.add(ms);
    expect(window.summary()).toEqual({ count: 100, p50Ms: 50, p95Ms: 95, p99Ms: 99, maxMs: 100 });
  });

  test('gives nothing before the first sample', () => {
    expect(new LatencyWindow().summary()).toMatchObject({ count: 0, p50Ms: undefined, maxMs: undefined });
  });

  test('keeps the last samples only, and counts all', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 50 }), (samples) => {
        const window = new LatencyWindow(8);
        for (const sample of samples) window.add(sample);
        const kept = samples.slice(-8).sort((a, b) => a - b);
        expect(window.summary()).toMatchObject({ count: samples.length, maxMs: kept.at(-1) });
        expect(window.percentile(0.5)).toBe(kept[Math.ceil(kept.length / 2) - 1]);
      }),
    );
  });
});

describe('retries', () => {
  const failure = (code: RunnerErrorCode) => new RunnerError(code, code);
  const reply = (o: Partial<WorkerReply>): WorkerReply => ({
    requestId: 'r',
    status: 'ERROR',
    message: '',
    data: {},
    isErrorFrame: true,
    nonFinite: [],
    callMs: 1,
    ...o,
  });

  test.each<[RunnerErrorCode, boolean]>([
    ['timeout', true],
    ['worker_exited', true],
    ['heartbeat_lost', true],
    ['protocol_error', true],
    ['contract_violation', false],
    ['aborted', false],
    ['closed', false],
    ['circuit_open', false],
    ['queue_full', false],
    ['invalid_image', false],
    ['pool_full', false],
  ])('by default %s is retried: %s', (code, expected) => {
    expect(isFailureRetried(failure(code), 1, DEFAULT_SUPERVISOR_POLICY)).toBe(expected);
  });

  test('two retries are three attempts', () => {
    const retried = [1, 2, 3].map((attempts) =>
      isFailureRetried(failure('worker_exited'), attempts, DEFAULT_SUPERVISOR_POLICY),
    );
    expect(retried).toEqual([true, true, false]);
  });

  test('timeouts and crashes can each be left alone', () => {
    const policy = resolvePolicy({ retryTimeouts: false, retryCrashes: false });
    expect(isFailureRetried(failure('timeout'), 1, policy)).toBe(false);
    expect(isFailureRetried(failure('heartbeat_lost'), 1, policy)).toBe(false);
  });

  test('an ERROR is retried when its code or its exception is called recoverable', () => {
    const policy = resolvePolicy({ recoverableCodes: ['1002'] });
    expect(isReplyRetried(reply({ errorCode: '1002' }), 1, policy)).toBe(true);
    expect(isReplyRetried(reply({ errorCode: '1009' }), 1, policy)).toBe(false);
    expect(isReplyRetried(reply({ exception: 'GPUOutOfMemoryError' }), 1, policy)).toBe(true);
    expect(isReplyRetried(reply({ exception: 'FatalError' }), 1, policy)).toBe(false);
    expect(isReplyRetried(reply({ errorCode: '1002', exception: 'FatalError' }), 1, policy)).toBe(false);
    expect(isReplyRetried(reply({ errorCode: '1002', status: 'OK' }), 1, policy)).toBe(false);
    expect(isReplyRetried(reply({ errorCode: '1002' }), 3, policy)).toBe(false);
  });
});

describe('the policy', () => {
  test('is complete without being given anything, with the limits of the specification', () => {
    expect(resolvePolicy()).toMatchObject({
      preTimeoutMs: 3_000,
      executeTimeoutMs: 5_000,
      retries: 2,
      maxRestarts: 3,
      maxCrashes: 5,
      crashWindowMs: 60_000,
      limits: { heartbeatIntervalMs: 5_000, heartbeatGraceMs: 2_000, executeMs: 5_000 },
    });
  });

  test.each([
    ['workers', 0],
    ['workers', 1.5],
    ['maxQueue', -1],
    ['executeTimeoutMs', NaN],
    ['executeTimeoutMs', 2 ** 31],
    ['backoffJitter', 1.1],
    ['recycleAfterCalls', 0],
    ['recoverableCodes', '1002'],
    ['recoverableExceptions', [7]],
    ['fatalExceptions', null],
  ])('refuses %s = %s by name', (name, value) => {
    expect(() => resolvePolicy({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'invalid_params', details: { path: `policy.${name}` } }) as Error,
    );
  });

  test('refuses an option that does not exist, so that a slip of the pen is no silent default', () => {
    expect(() => resolvePolicy({ executeTimeout: 5 } as object)).toThrow(/executeTimeout/);
  });

  test('refuses retryTimeouts without a limit of one attempt: no time would be left for another', () => {
    expect(() => resolvePolicy({ retryTimeouts: true })).toThrow(/retryTimeouts needs attemptTimeoutMs/);
    expect(resolvePolicy({ retryTimeouts: true, attemptTimeoutMs: 1_000 }).retryTimeouts).toBe(true);
  });

  test('an option given as undefined keeps its default', () => {
    expect(resolvePolicy({ workers: undefined }).workers).toBe(1);
  });
});

describe('process usage', () => {
  test('is read from a stat line whose command has spaces and parentheses in it', () => {
    const after = 'S 1 2 2 0 -1 4194304 500 0 0 0 70 30 0 0 20 0 3 0 12345 1000000 256 18446744073709551615';
    expect(parseStat(`42 (a b) c) ${after}`, 4_096)).toEqual({ rssBytes: 256 * 4_096, cpuMs: 1_000 });
  });

  test.runIf(process.platform === 'linux')('of this process agrees with what Node says of it', () => {
    const usage = readProcessUsage(process.pid);
    const rss = process.memoryUsage.rss();
    expect(usage?.rssBytes).toBeGreaterThan(rss * 0.8);
    expect(usage?.rssBytes).toBeLessThan(rss * 1.2);
    const { user, system } = process.cpuUsage();
    expect(Math.abs((usage?.cpuMs ?? 0) - (user + system) / 1_000)).toBeLessThan(500);
  });

  test('of a process that is gone, or on another platform, is unknown', () => {
    expect(readProcessUsage(2 ** 30)).toBeUndefined();
    expect(readProcessUsage(process.pid, 'darwin')).toBeUndefined();
  });
});

describe('Deadline', () => {
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(new RunnerError('aborted', 'told to stop'));
      });
    });

  test('ends bounded work with timeout when the time is over', async () => {
    const clock = new VirtualClock();
    const deadline = new Deadline(clock, 0, 100);
    const work = deadline.bound('a frame', never);
    clock.advance(100);
    await expect(work).rejects.toMatchObject({
      code: 'timeout',
      details: { timeoutMs: 100, stage: 'a frame' },
    });
    expect(clock.pending).toBe(0);
  });

  test('ends bounded work with aborted when the caller gives up', async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const work = new Deadline(clock, 0, 100, controller.signal).bound('a frame', never);
    controller.abort();
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    expect(clock.pending).toBe(0);
  });

  test('passes on what the work itself throws', async () => {
    const clock = new VirtualClock();
    const work = new Deadline(clock, 0, 100).bound('a frame', () =>
      Promise.reject(new RunnerError('queue_full', 'no room')),
    );
    await expect(work).rejects.toMatchObject({ code: 'queue_full' });
    expect(clock.pending).toBe(0);
  });
});
