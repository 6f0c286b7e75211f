import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { descendants, signalAll } from '../support/descendants.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12).fill(50), width: 2, height: 2 };

test.skipIf(process.platform !== 'linux').each(['auto', 'off'] as const)(
  'a SIGTERM to every process of the host’s group loses no call and restarts no worker (namespaces: %s)',
  async (namespaces) => {
    const { registry, supervisor } = await openSupervised({ policy: { workers: 2, retries: 0, namespaces } });
    await deployVersion(registry, { source: steeredAlgorithm() });
    const events: string[] = [];
    supervisor.on('exit', ({ reason }) => events.push(`exit: ${reason}`));
    supervisor.on('restart', ({ reason }) => events.push(`restart: ${reason}`));
    await supervisor.start('sample', '1.0.0');
    const flag = path.join(await temporaryFolder(), 'go');
    const [first] = supervisor.status();
    const call = supervisor.execute({
      ...{ target: { name: 'sample', version: '1.0.0' }, stepIndex: 1, image },
      userParams: { wait_for: flag },
      timeoutMs: 60_000,
    });
    await vi.waitFor(() => {
      expect(supervisor.status()[0]?.inFlight).toBe(1);
    }, 20_000);
    const before = new Set(first?.workers.map(({ processId: pid }) => pid));
    signalAll(descendants(), 'SIGTERM');
    await writeFile(flag, '');
    expect(await call).toMatchObject({ status: 'OK' });
    expect(new Set(supervisor.status()[0]?.workers.map(({ processId: pid }) => pid))).toEqual(before);
    expect(events).toEqual([]);
    await supervisor.stop('sample', '1.0.0');
    expect(events).toEqual(['exit: stopped', 'exit: stopped']);
  },
);

test.skipIf(process.platform === 'win32')(
  'a worker that does not hear is still ended by SIGTERM when its host asks for it',
  async () => {
    const { registry, supervisor } = await openSupervised({
      policy: { retries: 0, limits: { shutdownMs: 20_000 } },
    });
    await deployVersion(registry, { source: steeredAlgorithm() });
    await supervisor.start('sample', '1.0.0');
    const ended = new Promise((resolve) => supervisor.once('exit', resolve));
    const call = supervisor.execute({
      ...{ target: { name: 'sample', version: '1.0.0' }, stepIndex: 1, image },
      userParams: { sleep_ms: 60_000 },
      timeoutMs: 60_000,
    });
    call.catch(() => undefined);
    await vi.waitFor(() => {
      expect(supervisor.status()[0]?.inFlight).toBe(1);
    }, 20_000);
    const closed = supervisor.close();
    expect(await ended).toMatchObject({ exitSignal: 'SIGTERM' });
    await closed;
    await expect(call).rejects.toMatchObject({ code: 'closed' });
  },
);

test.skipIf(process.platform === 'win32')(
  'each process that an algorithm forks is ended by terminate(), as by default',
  async () => {
    const { registry, supervisor } = await openSupervised({ policy: { retries: 0 } });
    const fork = `
import multiprocessing, time

def wait():
    time.sleep(600)
`;
    const source = steeredAlgorithm({ onImport: fork }).replace(
      'asked = user_params or {}',
      `asked = user_params or {}
        context = multiprocessing.get_context("fork")
        for _ in range(40):
            child = context.Process(target=wait)
            child.start()
            child.terminate()
            child.join(20)
            assert child.exitcode == -15, child.exitcode`,
    );
    await deployVersion(registry, { source });
    const target = { name: 'sample', version: '1.0.0' };
    expect(await supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 60_000 })).toMatchObject({
      status: 'OK',
    });
  },
);
