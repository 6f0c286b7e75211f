import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { Losses } from '../../src/worker/call-pictures.js';
import { OutgoingCalls } from '../../src/worker/outgoing-calls.js';

test('a worker that dies while a picture is written rejects the call, and nothing else', async () => {
  const rejected: unknown[] = [];
  const note = (error: unknown) => rejected.push(error);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
  try {
    const gone = new RunnerError('worker_exited', 'The worker left by itself with exit code 1', {
      details: { exitCode: 1, exitSignal: null, output: [] },
    });
    const deliver = async () => {
      for (const call of outgoing.pending) call.fail(gone);
      await turn();
    };
    const call = { phase: 'execute', image: { id: 'a', kind: 'bin', deliver } as never } as const;
    const encoding = { generation: 'phased', channel: undefined, root: '/', maxFrameBytes: 1_000 } as const;
    const outgoing = new OutgoingCalls([{ call, requestId: '1' }], 'whole', encoding, () => undefined);
    const sending = { losses: new Losses(), folder: '/frames', write: () => 1, kill: () => undefined };
    const [sent] = outgoing.send(sending);
    await expect(sent).rejects.toBe(gone);
    expect(rejected).toEqual([]);
  } finally {
    process.removeListener('unhandledRejection', note);
    for (const listener of others) process.on('unhandledRejection', listener);
  }
});
