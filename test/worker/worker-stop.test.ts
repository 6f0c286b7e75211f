import { describe, expect, test, vi } from 'vitest';
import { signalTree } from '../../src/process/tree.js';
import { misbehavingWorker, onCall } from '../support/misbehaving-worker.js';

describe.skipIf(process.platform === 'win32')('stop goes as far as it must', () => {
  const DEAF_TO_TERM = 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n';

  test.each<[string, string, string, { exitCode: number | null; exitSignal: string | null }]>([
    [
      'a worker that heeds the shutdown frame leaves by itself',
      '',
      'until_call()',
      { exitCode: 0, exitSignal: null },
    ],
    [
      'one that does not, but sees the end of its input, leaves by itself',
      '',
      'while True: read()',
      { exitCode: 0, exitSignal: null },
    ],
    [
      'one that reads nothing is ended by SIGTERM',
      '',
      'time.sleep(60)',
      { exitCode: null, exitSignal: 'SIGTERM' },
    ],
    [
      'one that ignores that too is killed',
      DEAF_TO_TERM,
      'time.sleep(60)',
      { exitCode: null, exitSignal: 'SIGKILL' },
    ],
  ])('%s', async (_, beforehand, whenReady, end) => {
    const { worker } = await misbehavingWorker({
      script: `${beforehand}hello(); read(); pong(read())\n${whenReady}`,
      limits: { shutdownMs: 250 },
    });
    await worker.start();
    expect(await worker.stop()).toMatchObject({ ...end, reason: 'stopped', error: undefined });
    expect(worker.state).toBe('exited');
  });

  test('the reason is the first: a stop after a timeout does not cover it up', async () => {
    const { worker } = await misbehavingWorker({
      script: `${DEAF_TO_TERM}${onCall('time.sleep(60)')}`,
      limits: { executeMs: 200 },
    });
    await worker.start();
    await expect(worker.call({ phase: 'execute' })).rejects.toMatchObject({ code: 'timeout' });
    expect(await worker.stop('not wanted any more')).toMatchObject({
      reason: 'timeout',
      error: { code: 'timeout' },
    });
  });

  test('a first hello that comes while the start is given up is no protocol error', async () => {
    const { worker, events } = await misbehavingWorker({
      script:
        // Once: a second SIGTERM while it ends would say hello again, or end it by the signal.
        'def end(*_):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    hello()\n    sys.exit(0)\n' +
        'signal.signal(signal.SIGTERM, end)\nraw(b"here\\n")\ntime.sleep(60)',
      limits: { shutdownMs: 10_000 }, // its own end takes an interpreter a while on a busy machine
    });
    const isHere = new Promise((resolve) => worker.once('strayOutput', resolve));
    const start = worker.start();
    const refused = expect(start).rejects.toMatchObject({ code: 'closed' });
    await isHere;
    expect(await worker.stop()).toMatchObject({ exitCode: 0 });
    await refused;
    expect(events).toEqual(['stray', 'exit: stopped']);
  });

  test('two stops are one, and both wait for the end', async () => {
    const { worker, events } = await misbehavingWorker({ script: onCall('answer(message)') });
    await worker.start();
    const [first, second] = await Promise.all([worker.stop('first'), worker.stop('second')]);
    expect([first.reason, second]).toEqual(['first', first]);
    expect(events).toEqual(['ready', 'exit: first']);
  });
});

test('a group that may not be signalled is no failure of the host', () => {
  const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
  });
  try {
    signalTree(4_000_000, 'SIGKILL', { platform: 'linux' });
    expect(kill).toHaveBeenCalledWith(-4_000_000, 'SIGKILL');
  } finally {
    kill.mockRestore();
  }
});
