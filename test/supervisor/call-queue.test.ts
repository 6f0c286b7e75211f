import { describe, expect, test } from 'vitest';
import { CallQueue } from '../../src/supervisor/pool/call-queue.js';
import { VirtualClock } from '../../src/testing/index.js';

function queueOf() {
  const clock = new VirtualClock();
  return { clock, queue: new CallQueue<string>({ title: 'pcb 1.0', clock }) };
}

const ticket = (lane = 'A', deadline = 1_000) => ({ lane, deadline });

test('calls of one lane are served in the order they came', async () => {
  const { queue } = queueOf();
  const served: number[] = [];
  const waits = [1, 2, 3].map((n) => queue.wait(ticket()).then(() => served.push(n)));
  for (const worker of ['w1', 'w2', 'w3']) expect(queue.offer(worker)).toBe(true);
  await Promise.all(waits);
  expect(served).toEqual([1, 2, 3]);
});

test('lanes take turns: one call of a quiet lane waits for one of a busy lane, not for all of them', async () => {
  const { queue } = queueOf();
  const served: string[] = [];
  const waits = ['A1', 'A2', 'A3', 'A4', 'B1', 'C1'].map((call) =>
    queue.wait(ticket(call[0])).then(() => served.push(call)),
  );
  for (const call of waits) {
    queue.offer('w');
    await Promise.race([call, Promise.resolve()]);
  }
  await Promise.all(waits);
  expect(served).toEqual(['A1', 'B1', 'C1', 'A2', 'A3', 'A4']);
});

test('a place goes to the first call that accepts it', async () => {
  const { queue } = queueOf();
  const picky = queue.wait({ ...ticket(), accepts: (worker) => worker === 'w2' });
  const easy = queue.wait(ticket());
  expect(queue.offer('w1')).toBe(true);
  expect(await easy).toBe('w1');
  expect(queue.offer('w1')).toBe(false);
  expect(queue.offer('w2')).toBe(true);
  expect(await picky).toBe('w2');
});

test('of one lane, who came earlier goes first, however late it is ready for its place', async () => {
  const { queue } = queueOf();
  const served: string[] = [];
  const late = queue.wait({ ...ticket(), arrivedAt: 7 }).then(() => served.push('late'));
  const early = queue.wait({ ...ticket(), arrivedAt: 3 }).then(() => served.push('early'));
  queue.offer('w');
  queue.offer('w');
  await Promise.all([late, early]);
  expect(served).toEqual(['early', 'late']);
});

test('a call that is tried again goes to the head of its lane', async () => {
  const { queue } = queueOf();
  const served: string[] = [];
  const first = queue.wait(ticket()).then(() => served.push('first'));
  const again = queue.wait({ ...ticket(), isRetry: true }).then(() => served.push('again'));
  queue.offer('w');
  queue.offer('w');
  await Promise.all([first, again]);
  expect(served).toEqual(['again', 'first']);
});

test('a call ends with timeout at its deadline, not before', async () => {
  const { queue, clock } = queueOf();
  clock.advance(400);
  const wait = queue.wait(ticket('A', 1_000));
  let failed: unknown;
  wait.catch((error: unknown) => (failed = error));
  clock.advance(599);
  await Promise.resolve();
  expect(failed).toBeUndefined();
  clock.advance(1);
  await expect(wait).rejects.toMatchObject({ code: 'timeout', details: { stage: 'queue', timeoutMs: 600 } });
  expect(queue.size).toBe(0);
});

describe('abort', () => {
  test('of a call that waits rejects it at once and leaves no timer, listener or place in the queue', async () => {
    const { queue, clock } = queueOf();
    const controller = new AbortController();
    const wait = queue.wait({ ...ticket(), signal: controller.signal });
    controller.abort();
    await expect(wait).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
    expect([queue.size, clock.pending]).toEqual([0, 0]);
    expect(queue.offer('w')).toBe(false);
  });

  test('before the call keeps it out', async () => {
    const { queue, clock } = queueOf();
    await expect(queue.wait({ ...ticket(), signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect([queue.size, clock.pending]).toEqual([0, 0]);
  });
});

test('a call that was served leaves no timer', async () => {
  const { queue, clock } = queueOf();
  const wait = queue.wait(ticket());
  queue.offer('w');
  await wait;
  expect(clock.pending).toBe(0);
});

test('rejectAll ends every wait with the error given', async () => {
  const { queue, clock } = queueOf();
  const waits = ['A', 'A', 'B'].map((lane) => queue.wait(ticket(lane)));
  const ends = Promise.allSettled(waits);
  const { RunnerError } = await import('../../src/errors.js');
  queue.rejectAll(new RunnerError('circuit_open', 'too many crashes'));
  expect(
    (await ends).map((end) => end.status === 'rejected' && (end.reason as { code: string }).code),
  ).toEqual(Array(3).fill('circuit_open'));
  expect([queue.size, clock.pending]).toEqual([0, 0]);
});
