import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { WaitingLine } from '../../src/supervisor/pool/waiting-line.js';
import { VirtualClock } from '../../src/testing/index.js';

function lineOf(capacity: number, workers = { count: 1, idle: 0, busy: 1 }) {
  const clock = new VirtualClock();
  const places = { count: () => workers.count, idle: () => workers.idle, busy: () => workers.busy };
  return {
    clock,
    workers,
    line: new WaitingLine({ title: 'pcb 1.0', capacity: () => capacity, clock, places }),
  };
}

const turn = (lane = 'A') => ({ lane, deadline: 1_000 });

/** Which of these have been let on, once everything that can happen at once has happened. */
async function letOn(entries: Promise<unknown>[]): Promise<boolean[]> {
  const isIn = entries.map(() => false);
  entries.forEach((entry, index) => void entry.then(() => (isIn[index] = true)));
  await new Promise((resolve) => setImmediate(resolve));
  return isIn;
}

test('the call at the worker and the next are let on to write their images, the others wait for one to leave', async () => {
  const { line } = lineOf(10);
  const entries = [1, 2, 3, 4].map(() => line.enter(turn()));
  expect(await letOn(entries)).toEqual([true, true, false, false]);
  (await entries[0])?.();
  expect(await letOn(entries)).toEqual([true, true, true, false]);
});

test('with three workers six calls are let on', async () => {
  const { line } = lineOf(10, { count: 3, idle: 0, busy: 3 });
  const entries = Array.from({ length: 8 }, () => line.enter(turn()));
  expect((await letOn(entries)).filter(Boolean)).toHaveLength(6);
});

test('leaving twice makes room once', async () => {
  const { line } = lineOf(10);
  const entries = [1, 2, 3, 4].map(() => line.enter(turn()));
  const leave = await entries[0];
  leave?.();
  leave?.();
  expect(await letOn(entries)).toEqual([true, true, true, false]);
});

test('one call too many is queue_full at once, also while those before it write their images', async () => {
  const { line, clock, workers } = lineOf(2, { count: 1, idle: 1, busy: 0 });
  const first = await line.enter(turn());
  const others = [line.enter(turn()), line.enter(turn())];
  await expect(line.enter(turn())).rejects.toMatchObject({ code: 'queue_full', retryable: true });
  Object.assign(workers, { idle: 0, busy: 1 }); // the first has reached the worker
  expect(line.size).toBe(2);
  await expect(line.enter(turn())).rejects.toMatchObject({ code: 'queue_full' });
  expect(clock.now()).toBe(0);
  Object.assign(workers, { idle: 1, busy: 0 });
  first();
  expect(await letOn(others)).toEqual([true, true]);
});

test('a line of capacity 0 lets in who finds a free worker, and nobody else', async () => {
  const { line, workers } = lineOf(0, { count: 1, idle: 1, busy: 0 });
  await line.enter(turn());
  await expect(line.enter(turn())).rejects.toMatchObject({ code: 'queue_full' });
  Object.assign(workers, { idle: 0, busy: 1 });
  await expect(line.enter(turn())).rejects.toMatchObject({ code: 'queue_full' });
});

test('a call that gives up while it waits leaves its turn to the next', async () => {
  const { line, clock } = lineOf(10);
  const first = await line.enter(turn());
  await line.enter(turn());
  const controller = new AbortController();
  const given = line.enter({ ...turn(), signal: controller.signal });
  const late = line.enter({ ...turn(), deadline: 5 });
  const next = line.enter(turn());
  controller.abort();
  await expect(given).rejects.toMatchObject({ code: 'aborted' });
  clock.advance(5);
  await expect(late).rejects.toMatchObject({ code: 'timeout' });
  first();
  expect(await letOn([next])).toEqual([true]);
  expect(clock.pending).toBe(0);
});

test('rejectAll ends the wait of those that were not let on; those that were go on', async () => {
  const { line } = lineOf(10);
  const entries = [1, 2, 3].map(() => line.enter(turn()));
  line.rejectAll(new RunnerError('circuit_open', 'too many crashes'));
  await expect(entries[2]).rejects.toMatchObject({ code: 'circuit_open' });
  expect(await letOn(entries.slice(0, 2))).toEqual([true, true]);
});
