import { existsSync, readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { ResultData, WorkerResources } from '../../src/worker/types.js';
import { misbehavingWorker, onCall } from '../support/misbehaving-worker.js';

test('a worker inherits what it needs and no secret of the host; what Python would be led astray by is gone', async () => {
  const host = { API_TOKEN: 'secret', PYTHONPATH: '/elsewhere', PYTHONHOME: '/nowhere', LANG: 'C.UTF-8' };
  for (const [name, value] of Object.entries(host)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const { worker } = await misbehavingWorker({
    script: onCall('answer(message, data={"env": dict(os.environ), "cwd": os.getcwd()})'),
    limits: { maxFrameBytes: 1 << 20 },
    spec: { env: { LAMP: 'on' } },
  });
  await worker.start();
  const data: ResultData & { env?: unknown; cwd?: unknown } = (await worker.call({ phase: 'execute' })).data;
  expect(data.cwd).toBe(worker.spec.root);
  const env = data.env as Record<string, string>;
  expect(env).toMatchObject({
    LANG: 'C.UTF-8',
    LAMP: 'on',
    PROC_ENV: 'prod',
    PROC_ALGO_ROOT: worker.spec.root,
    PROC_SHM_DIR: worker.spec.frameDirectory,
    PYTHONNOUSERSITE: '1',
    PYTHONUNBUFFERED: '1',
  });
  for (const name of ['API_TOKEN', 'PYTHONPATH', 'PYTHONHOME', 'PYTHONUSERBASE', 'PROC_STRICT_STDIO']) {
    expect(env).not.toHaveProperty(name);
  }
});

test.skipIf(process.platform === 'win32')(
  'the limits of the spec hold before the first line of the algorithm runs',
  async () => {
    const { worker } = await misbehavingWorker({
      script: `import resource
seen = [resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.nice(0)]
${onCall('answer(message, data={"seen": seen})')}`,
      spec: { resources: { addressSpaceBytes: 1 << 30, openFiles: 100, nice: 5 } },
    });
    await worker.start();
    const data: ResultData & { seen?: unknown } = (await worker.call({ phase: 'execute' })).data;
    expect(data.seen).toEqual([1 << 30, 100, 5 + (await ownNiceness())]);
  },
);

test.skipIf(!existsSync('/proc/self/autogroup'))(
  'where sessions are scheduled as groups, that of a worker stands back while the algorithm loads, and no longer',
  async () => {
    const { worker } = await misbehavingWorker({
      script: `
def session():
    return int(open("/proc/self/autogroup").read().split()[-1])
until = time.time() + 10
while session() == 0 and time.time() < until:
    time.sleep(0.01)
seen = [session()]
${onCall('answer(message, data={"seen": seen + [session()]})')}`,
    });
    await worker.start();
    // The file of a process that is in no group is empty.
    const host = Number(readFileSync('/proc/self/autogroup', 'latin1').trim().split(' ').at(-1));
    const call = async () => (await worker.call({ phase: 'execute' })).data as { seen?: unknown };
    await expect.poll(async () => (await call()).seen).toEqual([host + 10, 0]);
  },
);

test.skipIf(process.platform === 'win32')(
  'limits that only a job of Windows has are named as without effect, and the worker runs',
  async () => {
    const { worker } = await misbehavingWorker({
      script: onCall('answer(message)'),
      spec: { resources: { cpus: 1.5, processes: 2 } },
    });
    await worker.start();
    const { missing = [] } = worker.bounds ?? {};
    expect(missing.filter((one) => one.startsWith('policy.resources'))).toEqual([
      expect.stringMatching(/^policy\.resources\.cpus is without effect: .*cgroup/),
      expect.stringMatching(/^policy\.resources\.processes is without effect: .*cgroup/),
    ]);
    expect((await worker.call({ phase: 'execute' })).status).toBe('OK');
  },
);

test.each<[WorkerResources, string]>([
  [{ addressSpaceBytes: 0 }, 'addressSpaceBytes'],
  [{ openFiles: 1.5 }, 'openFiles'],
  [{ nice: 20 }, 'nice'],
  [{ cpus: 0 }, 'cpus'],
  [{ cpus: NaN }, 'cpus'],
  [{ processes: 1.5 }, 'processes'],
  [{ memory: 5 } as object, 'memory'],
])('resources of %o are refused by name', (resources, name) => {
  const spec = {
    name: 'a',
    version: '1',
    root: '/',
    python: 'python3',
    entryPoint: 'm:C',
    frameDirectory: '/',
  };
  expect(() => new AlgorithmWorker({ ...spec, resources })).toThrow(
    expect.objectContaining({ code: 'invalid_params', details: { path: `resources.${name}` } }),
  );
});

async function ownNiceness(): Promise<number> {
  const { getPriority } = await import('node:os');
  return getPriority();
}
