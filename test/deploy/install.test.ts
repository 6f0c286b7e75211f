import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { DeployStage, DeployerProgressEvent } from '../../src/deploy/types.js';
import { RunnerError } from '../../src/errors.js';
import { deployStore } from '../support/deploy-store.js';
import { plainSteps } from '../support/plain-steps.js';

const STAGES: DeployStage[] = [
  ...(['inspect', 'space', 'unpack', 'environment', 'smoke', 'seal', 'publish', 'register'] as const),
];

describe('install of a zip', () => {
  test('lists the version with everything of it in its folder', async () => {
    const { deployer, registry, zip } = await deployStore();
    const entry = await deployer.install(await zip({ productIds: ['A01', 'A02'] }), { operator: 'kim' });
    expect(entry).toMatchObject({
      ...{ name: 'sample', version: '1.0.0', supported_pids: ['A01', 'A02'], state: 'deployed' },
      ...{ entry_point: 'algorithm.main:Algorithm', operator: 'kim' },
    });
    expect(entry.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await registry.get('sample', '1.0.0')).toEqual(entry);
    expect((await readdir(registry.layout.deployed('sample', '1.0.0'))).sort()).toEqual([
      ...['.procvision-files.json', '.procvision-version.json', 'algorithm', 'manifest.json'],
      ...['requirements.txt', 'venv', 'wheels'],
    ]);
  });

  test('goes through its stages in order, each event with the id of the call', async () => {
    const { deployer, zip } = await deployStore();
    const stages: string[] = [];
    deployer.on('stage', ({ id, stage }) => stages.push(`${id} ${stage}`));
    await deployer.install(await zip(), { id: 'mine' });
    expect(stages).toEqual(STAGES.map((stage) => `mine ${stage}`));
  });

  test('reports progress that rises from 0 to 1 and names the package throughout', async () => {
    const { deployer, zip } = await deployStore();
    const progress: DeployerProgressEvent[] = [];
    deployer.on('progress', (event) => progress.push(event));
    await deployer.install(await zip({ files: { 'weights.bin': Buffer.alloc(3_000_000) }, stored: true }));
    const fractions = progress.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...new Set(fractions)].sort((a, b) => a - b));
    expect([fractions[0], fractions.at(-1)]).toEqual([0, 1]);
    expect(progress.every(({ name, version }) => name === 'sample' && version === '1.0.0')).toBe(true);
    expect(progress.every(({ doneBytes, totalBytes }) => doneBytes <= totalBytes)).toBe(true);
    expect(progress.at(-1)?.doneBytes).toBeGreaterThan(3_000_000);
  });

  test('counts the bytes of an upload and of all that follows as one, without ever falling back', async () => {
    const { deployer, zip } = await deployStore();
    const progress: DeployerProgressEvent[] = [];
    deployer.on('progress', (event) => progress.push(event));
    const file = await zip({ files: { 'weights.bin': Buffer.alloc(3_000_000) }, stored: true });
    await deployer.install(createReadStream(file));
    const done = progress.map(({ doneBytes }) => doneBytes);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    const received = progress.filter(({ stage }) => stage === 'receive');
    expect(received.at(-1)).toMatchObject({ totalBytes: 0 });
    expect(received.at(-1)?.doneBytes).toBeGreaterThan(1_000_000);
    const unpacked = progress.findLast(({ stage }) => stage === 'unpack');
    expect(unpacked?.doneBytes).toBeGreaterThan(6_000_000);
    const last = progress.at(-1);
    expect(last).toMatchObject({ doneBytes: last?.totalBytes, fraction: 1 });
  });

  test('writes one audit record with operator, file, outcome and duration', async () => {
    const { deployer, registry, zip, folder } = await deployStore();
    await deployer.install(await zip(), { operator: 'kim' });
    await expect(deployer.install(await zip(), { operator: 'lee' })).rejects.toThrow();
    // One that never told its name and version: by the file it can be found.
    const broken = path.join(folder, 'broken.zip');
    await writeFile(broken, 'no zip');
    await expect(deployer.install(broken)).rejects.toThrow();
    const text = await readFile(path.join(registry.layout.logs, 'package_install.log'), 'utf8');
    const [first, second, third] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    const about = {
      operation: 'install',
      name: 'sample',
      version: '1.0.0',
      pids: ['A01'],
      timestamp_ms: expect.any(Number) as number,
    };
    expect(first).toMatchObject({
      ...about,
      operator: 'kim',
      zip: 'package-1.zip',
      outcome: 'ok',
      duration_ms: expect.any(Number) as number,
    });
    expect(second).toMatchObject({ ...about, operator: 'lee', outcome: 'failed', code: 'already_installed' });
    expect(third).toMatchObject({ operation: 'install', zip: 'broken.zip', outcome: 'failed' });
  });
});

describe('a version that is installed already', () => {
  test('is refused with already_installed and stays as it is', async () => {
    const { deployer, zip, content } = await deployStore();
    await deployer.install(await zip());
    const before = await content();
    await expect(deployer.install(await zip({ files: { 'new.txt': 'new' } }))).rejects.toMatchObject({
      ...{ code: 'already_installed', errorCode: '2005' },
    });
    expect(await content()).toEqual(before);
  });

  test('is replaced with force, and what was not in the new package is gone', async () => {
    const { deployer, registry, zip } = await deployStore();
    await deployer.install(await zip({ files: { 'old.txt': 'old' } }));
    await deployer.install(await zip({ files: { 'new.txt': 'new' } }), { force: true });
    const names = await readdir(registry.layout.deployed('sample', '1.0.0'));
    expect(names).toContain('new.txt');
    expect(names).not.toContain('old.txt');
    expect(await registry.list()).toHaveLength(1);
  });

  test('is refused with version_in_use while any host runs it, force or not', async () => {
    const { deployer, join, zip, content } = await deployStore();
    await deployer.install(await zip());
    const other = await join();
    await using _use = await other.registry.use('sample', '1.0.0');
    const before = await content();
    await expect(deployer.install(await zip(), { force: true })).rejects.toMatchObject({
      ...{ code: 'version_in_use', errorCode: '2007', details: { users: [{ pid: process.pid }] } },
      message: expect.stringMatching(/in use by this process \(\d+\): stop it first, with stop\('/) as string,
    });
    expect(await content()).toEqual(before);
  });

  test('that is taken into use while its replacement is made stays, and the replacement is refused', async () => {
    const during: { smoke?: () => Promise<void> } = {};
    const { deployer, registry, zip, content } = await deployStore({
      steps: { ...plainSteps, smoke: async () => (await during.smoke?.(), {}) },
    });
    await deployer.install(await zip());
    const before = await content();
    let use: AsyncDisposable | undefined;
    during.smoke = async () => {
      use = await registry.use('sample', '1.0.0');
    };
    await expect(deployer.install(await zip(), { force: true })).rejects.toMatchObject({
      code: 'version_in_use',
    });
    await use?.[Symbol.asyncDispose]();
    expect(await content()).toEqual(before);
  });

  test('that is active is refused with version_in_use when the new package does not support the pid', async () => {
    const { deployer, registry, zip } = await deployStore();
    await deployer.install(await zip({ productIds: ['A01', 'A02'] }));
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A02'] });
    await expect(deployer.install(await zip({ productIds: ['A01'] }), { force: true })).rejects.toMatchObject(
      {
        ...{ code: 'version_in_use', details: { pids: ['A02'] } },
      },
    );
  });

  test('that is active is refused with version_in_use when the new package does not take the parameters kept for the pid', async () => {
    const learnt = { steps: [{ index: 1, params: [{ key: 'limit', type: 'int' as const, max: 9 }] }] };
    const { deployer, registry, zip, content } = await deployStore({
      steps: { ...plainSteps, smoke: () => Promise.resolve(structuredClone(learnt)) },
    });
    const version = { name: 'sample', version: '1.0.0' };
    await deployer.install(await zip());
    await registry.activate({ ...version, productIds: ['A01'], params: { limit: 9 } });
    const before = await content();
    for (const params of [
      [{ key: 'limit', type: 'int' as const, max: 8 }],
      [{ key: 'bound', type: 'int' as const }],
    ]) {
      Object.assign(learnt.steps[0] ?? {}, { params });
      await expect(deployer.install(await zip(), { force: true })).rejects.toMatchObject({
        ...{ code: 'version_in_use', details: { pids: ['A01'] } },
        message: /active for A01.*limit.*setParams/s,
      });
      expect(await content()).toEqual(before);
    }
    await registry.setParams({ productId: 'A01', params: {} });
    await deployer.install(await zip(), { force: true });
    await registry.setParams({ productId: 'A01', params: { bound: 1 } });
  });
});

describe('a version of another spelling', () => {
  // A link is what a file system that folds case looks like from above: one folder by two names.
  test.each([
    ['name', { name: 'Sample' }, 'sample', 'Sample'],
    ['name and version', { name: 'Sample', version: '2.0.0' }, 'sample', 'Sample'],
    ['version', { version: '1.0.0-RC1' }, 'sample/1.0.0-rc1', 'sample/1.0.0-RC1'],
  ])(
    'in its %s is refused where the file system has one folder for both, and the other stays as it is',
    async (_, source, there, here) => {
      const { deployer, registry, zip, content } = await deployStore();
      const version = '1.0.0-rc1';
      await deployer.install(await zip({ version }));
      const folded = path.join(registry.layout.deployedRoot, here);
      if (!existsSync(folded)) await symlink(path.basename(there), folded);
      const before = await content();
      for (const force of [false, true])
        await expect(
          deployer.install(await zip({ version: '1.0.0', ...source }), { force }),
        ).rejects.toMatchObject({
          code: 'install_failed',
          message: /beside sample 1\.0\.0-rc1.*does not tell.*uninstall sample 1\.0\.0-rc1 first/s,
        });
      expect(await content()).toEqual(before);
      expect(await deployer.verify('sample', version)).toMatchObject({ intact: true });
    },
  );

  test.runIf(process.platform === 'linux')(
    'is another version where the file system tells the two apart',
    async () => {
      const { deployer, registry, zip } = await deployStore();
      for (const name of ['sample', 'Sample']) await deployer.install(await zip({ name }));
      expect(await registry.list()).toHaveLength(2);
    },
  );
});

describe('an install that fails', () => {
  for (const stage of STAGES.slice(1)) {
    test(`because it is aborted at ${stage} leaves nothing in the store`, async () => {
      const { deployer, zip, content } = await deployStore();
      const file = await zip();
      const before = await content();
      const abort = new AbortController();
      deployer.on('stage', (event) => {
        if (event.stage === stage) abort.abort();
      });
      await expect(deployer.install(file, { signal: abort.signal })).rejects.toMatchObject({
        name: 'AbortError',
      });
      expect(await content()).toEqual(before);
    });
  }

  test('because the deployer is closed rejects with closed and leaves nothing', async () => {
    const { deployer, zip, content } = await deployStore();
    const file = await zip();
    const before = await content();
    deployer.on('stage', ({ stage }) => {
      if (stage === 'environment') void deployer.close();
    });
    await expect(deployer.install(file)).rejects.toMatchObject({ code: 'closed' });
    expect(await content()).toEqual(before);
    await expect(deployer.install(file)).rejects.toMatchObject({ code: 'closed' });
  });

  test('because of the package keeps the code of the fault, leaves nothing and is told as invalid', async () => {
    const fault = new RunnerError('execute_exception', 'boom', { details: { stage: 'execute', raw: {} } });
    const { deployer, zip, content } = await deployStore({
      steps: { ...plainSteps, smoke: () => Promise.reject(fault) },
    });
    const file = await zip();
    const before = await content();
    const events: unknown[] = [];
    deployer.on('invalid', (event) => events.push(event));
    await expect(deployer.install(file)).rejects.toBe(fault);
    expect(events).toEqual([
      expect.objectContaining({ path: file, error: fault, name: 'sample', version: '1.0.0' }),
    ]);
    expect(await content()).toEqual(before);
  });

  test('because a step fails with EIO is store_failed with that cause', async () => {
    const cause = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    const { deployer, zip, content } = await deployStore({
      steps: { ...plainSteps, environment: () => Promise.reject(cause) },
    });
    const file = await zip();
    const before = await content();
    const events: unknown[] = [];
    deployer.on('error', ({ error }) => events.push(error));
    await expect(deployer.install(file)).rejects.toMatchObject({
      ...{ code: 'store_failed', cause, details: { stage: 'environment' } },
    });
    expect(events).toEqual([]); // its caller was told
    expect(await content()).toEqual(before);
  });

  test('because it cannot be unpacked ends what was made beside it, and leaves nothing', async () => {
    const fault = new RunnerError('install_failed', 'damaged');
    const steps: string[] = [];
    const { deployer, zip, content } = await deployStore({
      steps: {
        ...plainSteps,
        open: async (file, o) => ({
          ...(await plainSteps.open(file, o)),
          unpack: () => Promise.reject(fault),
        }),
        early: async (folder, _inspection, { signal }) => {
          await new Promise<void>((resolve) => {
            signal?.addEventListener('abort', () => {
              resolve();
            });
          });
          steps.push('told to end');
          await mkdir(folder);
          await new Promise((resolve) => setTimeout(resolve, 100));
          await writeFile(path.join(folder, 'late'), '');
          steps.push('ended');
          throw new Error('never seen');
        },
      },
    });
    const file = await zip();
    const before = await content();
    await expect(deployer.install(file)).rejects.toBe(fault);
    expect(steps).toEqual(['told to end', 'ended']);
    expect(await content()).toEqual(before);
  });

  test('because no environment can be made is told in the stage of the environment, also where it was tried earlier', async () => {
    const fault = new RunnerError('install_failed', 'no venv');
    const { deployer, zip, content } = await deployStore({
      steps: {
        ...plainSteps,
        early: () => Promise.reject(new Error('never seen')),
        environment: (_root, _inspection, { early }) => {
          expect(early).toBeUndefined();
          return Promise.reject(fault);
        },
      },
    });
    const file = await zip();
    const before = await content();
    const stages: string[] = [];
    deployer.on('stage', ({ stage }) => stages.push(stage));
    await expect(deployer.install(file)).rejects.toBe(fault);
    expect(stages).toEqual(['inspect', 'space', 'unpack', 'environment']);
    expect(await content()).toEqual(before);
  });

  test.each([['../evil'], ['a/b'], ['con'], ['x.lock'], ['']])(
    'because its version is %j leaves nothing',
    async (version) => {
      const { deployer, zip, content } = await deployStore();
      const file = await zip({ version });
      const before = await content();
      await expect(deployer.install(file)).rejects.toSatisfy((error) => RunnerError.is(error));
      expect(await content()).toEqual(before);
    },
  );
});

describe('several installs at once', () => {
  test('of one version by two hosts: one is installed, the other is refused with already_installed', async () => {
    const { deployer, join, zip, registry } = await deployStore();
    const other = await join();
    const ends = await Promise.allSettled([
      deployer.install(await zip()),
      other.deployer.install(await zip()),
    ]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'already_installed' },
    });
    expect(await registry.list()).toHaveLength(1);
    expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
  });

  test('of different versions go side by side', async () => {
    const waiting: (() => void)[] = [];
    const { deployer, registry, zip } = await deployStore({
      steps: {
        ...plainSteps,
        // Each waits for the other: side by side or never.
        smoke: () =>
          new Promise((resolve) => {
            waiting.push(() => {
              resolve({});
            });
            if (waiting.length === 2) for (const go of waiting) go();
          }),
      },
    });
    await Promise.all([
      deployer.install(await zip({ version: '1.0.0' })),
      deployer.install(await zip({ version: '2.0.0' })),
    ]);
    expect((await registry.list()).map(({ version }) => version).sort()).toEqual(['1.0.0', '2.0.0']);
  });
});

describe('install of a stream', () => {
  test('lands in zips/ under the package name and version once it is installed', async () => {
    const { deployer, registry, zip } = await deployStore();
    const file = await zip();
    await deployer.install(createReadStream(file));
    expect(await readdir(registry.layout.zips)).toEqual(['sample-v1.0.0-offline.zip']);
    const landed = path.join(registry.layout.zips, 'sample-v1.0.0-offline.zip');
    expect(await readFile(landed)).toEqual(await readFile(file));
  });

  test('shows nothing in zips/ before it is whole', async () => {
    const { deployer, registry, zip } = await deployStore();
    const bytes = await readFile(await zip());
    const seen: string[][] = [];
    const slowly = Readable.from(
      (async function* () {
        for (let at = 0; at < bytes.length; at += 512) {
          seen.push(await readdir(registry.layout.zips));
          yield bytes.subarray(at, at + 512);
        }
      })(),
    );
    await deployer.install(slowly);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.flat()).toEqual([]);
  });

  test('that breaks off rejects with install_failed and its cause, and leaves nothing', async () => {
    const { deployer, content, zip } = await deployStore();
    const bytes = await readFile(await zip());
    const before = await content();
    const broken = Readable.from(
      (function* () {
        yield bytes.subarray(0, 700);
        throw new Error('connection reset');
      })(),
    );
    await expect(deployer.install(broken)).rejects.toMatchObject({
      ...{ code: 'install_failed', cause: { message: 'connection reset' } },
    });
    expect(await content()).toEqual(before);
  });

  test('that ends early rejects with invalid_zip and leaves nothing', async () => {
    const { deployer, content, zip } = await deployStore();
    const bytes = await readFile(await zip());
    const before = await content();
    await expect(deployer.install(Readable.from([bytes.subarray(0, 700)]))).rejects.toMatchObject({
      code: 'invalid_zip',
    });
    expect(await content()).toEqual(before);
  });

  test('of a file that does not exist rejects and does not end the process', async () => {
    const { deployer, folder, content } = await deployStore();
    const before = await content();
    await expect(deployer.install(createReadStream(path.join(folder, 'none.zip')))).rejects.toMatchObject({
      ...{ code: 'install_failed', cause: { code: 'ENOENT' } },
    });
    expect(await content()).toEqual(before);
  });

  test('that stops coming rejects with timeout and leaves nothing', async () => {
    const { deployer, content } = await deployStore({ uploadIdleMs: 20 });
    const before = await content();
    const silent = new Readable({ read: () => undefined });
    await expect(deployer.install(silent)).rejects.toMatchObject({ code: 'timeout' });
    expect(silent.destroyed).toBe(true);
    expect(await content()).toEqual(before);
  });

  test('that is aborted while it is received leaves nothing', async () => {
    const { deployer, content } = await deployStore();
    const before = await content();
    const abort = new AbortController();
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(1000));
        setImmediate(() => {
          abort.abort();
        });
      },
    });
    await expect(deployer.install(endless, { signal: abort.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(await content()).toEqual(before);
  });
});

test('a text file is refused with invalid_zip and nothing is left', async () => {
  const { deployer, folder, content } = await deployStore();
  const file = path.join(folder, 'text.zip');
  await writeFile(file, 'this is no zip');
  const before = await content();
  await expect(deployer.install(file)).rejects.toMatchObject({ code: 'invalid_zip', errorCode: '2001' });
  expect(await content()).toEqual(before);
});
