import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bundledScript } from '../support/bundled-script.js';
import { openSupervised, deployVersion } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const isLinux = process.platform === 'linux';
const isRoot = isLinux && process.getuid?.() === 0;
const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

async function ended(box: string[], script: string, ...more: string[]): Promise<unknown> {
  const whole = [...box, process.execPath, await bundledScript(script), ...more];
  const [program = process.execPath, ...args]: string[] = whole;
  return JSON.parse(execFileSync(program, args, { encoding: 'utf8' }));
}

describe.runIf(isLinux).each(['auto', 'off'] as const)('with namespaces %s', (namespaces) => {
  test.each(['idle', 'busy'])(
    'a host in a worker thread that is terminated with a worker that is %s leaves no Python running and no frames',
    async (how) => {
      const left = await ended([], 'thread-host.ts', namespaces, how);
      expect(left).toEqual({ before: true, after: false, frames: [] });
    },
  );

  test.runIf(isRoot)('a host that is the first process of its container is left with no zombie', async () => {
    const box = ['unshare', '--pid', '--fork', '--mount-proc'];
    expect(await ended(box, 'first-process-host.ts', namespaces)).toEqual({
      pid: 1,
      ends: ['answered', 'timeout', 'worker_exited', 'answered'],
      afterInstall: 0,
      afterWorkers: 0,
    });
  });

  test.each([
    ['hangs', 'time.sleep(60)', 'timeout', 2_000],
    ['leaves', 'os._exit(3)', 'worker_exited', 20_000],
  ])(
    'an algorithm with multiprocessing shared memory that %s leaves none of it',
    async (_, end, code, timeoutMs) => {
      const segments = () => readdirSync('/dev/shm').filter((name) => name.startsWith('psm_'));
      const before = segments();
      const { registry, supervisor } = await openSupervised({ policy: { retries: 0, namespaces } });
      const source = steeredAlgorithm({
        extra: `
    def on_step_start(self, *args):
        from multiprocessing import shared_memory
        self.kept.append(shared_memory.SharedMemory(create=True, size=100_000))
        ${end}
`,
      });
      await deployVersion(registry, { source });
      const call = supervisor.execute({ target, stepIndex: 1, image, timeoutMs });
      await expect(call).rejects.toMatchObject({ code });
      await supervisor.close();
      expect(segments().filter((name) => !before.includes(name))).toEqual([]);
    },
  );

  test('an algorithm that buries all its children sees that it has none, and answers', async () => {
    const { registry, supervisor } = await openSupervised({ policy: { retries: 0, namespaces } });
    const source = steeredAlgorithm({
      extra: `
    def on_step_start(self, *args):
        if os.fork() == 0:
            os._exit(0)
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
`,
    });
    await deployVersion(registry, { source });
    expect(await supervisor.execute({ target, stepIndex: 1, image })).toMatchObject({ status: 'OK' });
  });

  test('signals reach the worker that status() names, and its end is told as it was', async () => {
    const { registry, supervisor } = await openSupervised({
      policy: { retries: 0, namespaces, maxRestarts: 5 },
    });
    await deployVersion(registry, { source: steeredAlgorithm() });
    // Not SIGTERM, which is a service manager's: group-stop.test.ts.
    for (const signal of ['SIGKILL', 'SIGHUP', 'SIGSEGV'] as const) {
      const { data } = await supervisor.execute({ target, stepIndex: 1, image });
      const pid = supervisor.status()[0]?.workers[0]?.processId ?? -1;
      expect((data.debug as { worker_pid: number }).worker_pid).toBe(pid);
      const exit = new Promise((resolve) => supervisor.once('exit', resolve));
      process.kill(pid, signal);
      expect(await exit).toMatchObject({ pid, exitCode: null, exitSignal: signal });
    }
  });
});
