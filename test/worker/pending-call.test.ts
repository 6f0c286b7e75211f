import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { CallPictures, Losses } from '../../src/worker/call-pictures.js';
import { PendingCall } from '../../src/worker/pending-call.js';

test('a worker that dies while a picture is written rejects the call, and nothing else', async () => {
  const rejected: unknown[] = [];
  const note = (error: unknown) => rejected.push(error);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
  try {
    const gone = new RunnerError('worker_exited', 'The worker left by itself with exit code 1', {
      details: { exitCode: 1, exitSignal: null, output: [] },
    });
    const pending = new PendingCall('1', [], () => undefined);
    const deliver = async () => {
      pending.fail(gone);
      await turn();
    };
    const pictures = new CallPictures(
      { phase: 'execute', image: { id: 'a', kind: 'bin', deliver } as never },
      'phased',
      undefined,
    );
    const sent = pictures.sendFor(pending, new Losses(), '/frames', {
      write: () => 1,
      kill: () => undefined,
    });
    await expect(sent).rejects.toBe(gone);
    expect(rejected).toEqual([]);
  } finally {
    process.removeListener('unhandledRejection', note);
    for (const listener of others) process.on('unhandledRejection', listener);
  }
});
