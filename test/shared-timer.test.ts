import { expect, test, vi } from 'vitest';
import { runAfter } from '../src/shared-timer.js';

/** Runs something after each of these times, and gives them in the order in which they were over. */
function ends(delaysMs: readonly number[]): Promise<number[]> {
  const over: number[] = [];
  return new Promise((resolve) => {
    for (const delayMs of delaysMs) {
      runAfter(delayMs, () => {
        over.push(delayMs);
        if (over.length === delaysMs.length) resolve(over);
      });
    }
  });
}

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('what waits is run in the order of its times, none before its own, whatever began first', async () => {
  const startedAt = performance.now();
  const ended = ends([60, 20, 40]).then((order) => ({ order, tookMs: performance.now() - startedAt }));
  const cancels = Array.from({ length: 100 }, () => runAfter(10_000, () => expect.fail('it was cancelled')));
  for (const cancel of cancels) cancel();
  const { order, tookMs } = await ended;
  expect(order).toEqual([20, 40, 60]);
  expect(tookMs).toBeGreaterThanOrEqual(60);
});

test('a limit that begins when an earlier one was cancelled lasts as long as it says', async () => {
  runAfter(30, () => expect.fail('it was cancelled'))();
  const startedAt = performance.now();
  await new Promise<void>((resolve) => runAfter(80, resolve));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(80);
});

test('a wait that is over may cancel another that is over too, and begin a new one', async () => {
  const run: string[] = [];
  await new Promise<void>((resolve) => {
    let cancel: () => void = () => undefined;
    runAfter(10, () => {
      run.push('first');
      cancel();
      runAfter(5, () => {
        run.push('third');
        resolve();
      });
    });
    cancel = runAfter(11, () => run.push('second'));
    const until = performance.now() + 30; // both are over when the loop comes to them
    while (performance.now() < until);
  });
  expect(run).toEqual(['first', 'third']);
});

test('what throws takes nothing from the others, and is thrown where Node reports it', async () => {
  const thrown = vi.fn();
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').once('uncaughtException', thrown);
  await new Promise<void>((resolve) => {
    runAfter(10, () => {
      throw new Error('the listener is at fault');
    });
    runAfter(11, resolve);
    const until = performance.now() + 30;
    while (performance.now() < until);
  });
  for (const listener of before) process.on('uncaughtException', listener);
  expect(thrown).toHaveBeenCalledOnce();
});

test('nothing that waits keeps no process alive, and something that waits does', () => {
  const before = timers();
  const cancel = runAfter(50_000, () => undefined);
  const other = runAfter(40_000, () => undefined);
  expect(timers()).toBe(before + 1);
  cancel();
  expect(timers()).toBe(before + 1);
  other();
  expect(timers()).toBe(before);
  runAfter(60_000, () => undefined)();
  expect(timers()).toBe(before);
});

test('a wait that began under the timers of a test harness does not keep a later one from ending', async () => {
  vi.useFakeTimers();
  const cancel = runAfter(20, () => undefined);
  vi.useRealTimers();
  await new Promise<void>((resolve) => runAfter(40, resolve));
  cancel();
});
