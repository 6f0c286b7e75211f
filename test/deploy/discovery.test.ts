import { copyFile, mkdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Discovery, type DiscoveryOptions } from '../../src/deploy/discovery/discovery.js';
import { lockVersion } from '../../src/deploy/transaction/version-lock.js';
import { RunnerError, type RunnerErrorCode } from '../../src/errors.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { deployStore } from '../support/deploy-store.js';
import { plainSteps } from '../support/plain-steps.js';
import { canLink } from '../support/platform.js';

const failure = (code: RunnerErrorCode, o: { cause?: Error } = {}) =>
  new RunnerError(code as 'internal', code, o);

/** A store and a look through it, with all that it tells. */
async function looking(o: Partial<DiscoveryOptions> = {}) {
  const store = await deployStore();
  const { registry, zip } = store;
  const told: string[] = [];
  const discovery = new Discovery({
    ...{ registry, steps: plainSteps, settleMs: 0 },
    onDiscovered: ({ path: file }) => told.push(`discovered ${path.basename(file)}`),
    onInvalid: (file, { code }) => told.push(`invalid ${path.basename(file)} ${code}`),
    ...o,
  });
  const inZips = (name: string) => path.join(registry.layout.zips, name);
  const deliver = async (name: string, source: Parameters<typeof zip>[0] = {}) => {
    await copyFile(await zip(source), inZips(name));
    return inZips(name);
  };
  const zips = () => discovery.scanZips([]);
  return { ...store, discovery, told, inZips, deliver, zips };
}

/** Lets the test say what time it is, on both clocks. */
function stoppedClocks(now: number): void {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now });
  onTestFinished(() => void vi.useRealTimers());
}

describe('what is remembered of a zip', () => {
  test('is why it cannot be installed, until the file changes', async () => {
    const { discovery, deliver, zips, told } = await looking();
    const file = await deliver('a.zip');
    await discovery.remember(file, failure('wheels_missing'));
    expect(await zips()).toMatchObject([
      { state: 'invalid', settling: false, reason: { code: 'wheels_missing', errorCode: '2004' } },
    ]);
    expect(told).toEqual([]);
    await utimes(file, new Date(0), new Date(0));
    expect(await zips()).toMatchObject([{ state: 'validated', name: 'sample', version: '1.0.0' }]);
    expect(told).toEqual(['discovered a.zip']);
  });

  test.runIf(canLink())(
    'is nothing where there is no file, and what cannot be looked at is no reason to fail',
    async () => {
      const { discovery, inZips, zips } = await looking();
      await discovery.remember(inZips('none.zip'), failure('wheels_missing'));
      await symlink('loop.zip', inZips('loop.zip'));
      await discovery.remember(inZips('loop.zip'), failure('wheels_missing'));
      await rm(inZips('loop.zip'));
      expect(await zips()).toEqual([]);
    },
  );

  test('by the same name is told of again after another file stood there', async () => {
    const { deliver, zips, told } = await looking();
    const file = await deliver('a.zip');
    await zips();
    await zips();
    await writeFile(file, 'no zip');
    await zips();
    await deliver('a.zip', { version: '2.0.0' });
    await zips();
    expect(told).toEqual(['discovered a.zip', 'invalid a.zip invalid_zip', 'discovered a.zip']);
  });
});

describe('a file is settled', () => {
  const FILE_TIME = Date.parse('2040-01-01T00:00:00Z');

  /** A file that was changed at {@link FILE_TIME}. */
  async function fileOf2040(settleMs: number) {
    const { discovery, deliver, ...rest } = await looking({ settleMs });
    const file = await deliver('a.zip');
    await utimes(file, new Date(FILE_TIME), new Date(FILE_TIME));
    return { discovery, file, ...rest };
  }

  test('when its last change is as old as the pause, not a millisecond before', async () => {
    const { discovery, file } = await fileOf2040(5_000);
    stoppedClocks(FILE_TIME + 4_999);
    expect(await discovery.isDue(file)).toBe(false);
    vi.setSystemTime(FILE_TIME + 5_000);
    expect(await discovery.isDue(file)).toBe(true);
  });

  test('when it was seen so long ago, whatever its time says, and a scan of the folder does not forget that', async () => {
    const { discovery, file, folder, zips } = await fileOf2040(5_000);
    const outside = path.join(folder, 'outside.zip');
    await copyFile(file, outside);
    await utimes(outside, new Date(FILE_TIME), new Date(FILE_TIME));
    stoppedClocks(FILE_TIME - 3_600_000);
    expect(await discovery.isDue(file)).toBe(false);
    expect(await discovery.isDue(outside)).toBe(false);
    await zips();
    vi.advanceTimersByTime(4_999);
    expect(await discovery.isDue(file)).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await discovery.isDue(file)).toBe(true);
    expect(await discovery.isDue(outside)).toBe(true);
    await rm(file);
    await zips();
    await copyFile(outside, file);
    await utimes(file, new Date(FILE_TIME), new Date(FILE_TIME));
    expect(await discovery.isDue(file)).toBe(false); // another file
  });

  test('by the change of its status too: a copy that keeps the time of the file is as new as it is', async () => {
    const { discovery, deliver } = await looking({ settleMs: 3_600_000 });
    const file = await deliver('a.zip');
    await utimes(file, new Date(0), new Date(0));
    expect(await discovery.isDue(file)).toBe(false);
  });

  test.runIf(canLink())(
    'never where it is not there, or is a folder; what cannot be looked at is an error',
    async () => {
      const { discovery, inZips } = await looking();
      await mkdir(inZips('folder.zip'));
      expect(await discovery.isDue(inZips('none.zip'))).toBe(false);
      expect(await discovery.isDue(inZips('folder.zip'))).toBe(false);
      await symlink('loop.zip', inZips('loop.zip'));
      await expect(discovery.isDue(inZips('loop.zip'))).rejects.toMatchObject({ code: 'ELOOP' });
    },
  );
});

describe('a zip that cannot be opened', () => {
  const refusing = async (error: Error, settleMs = 0) => {
    let opened = 0;
    const ground = await looking({
      settleMs,
      steps: {
        open: () => {
          opened++;
          return Promise.reject(error);
        },
      },
    });
    await ground.deliver('a.zip');
    return { ...ground, opened: () => opened };
  };
  const SETTLING = [{ state: 'discovered', settling: true, source: 'zip' }];
  const full = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });

  test.each([
    ['for its own fault is invalid at once', failure('manifest_invalid'), 'invalid', 1],
    ['for a fault of the machine is looked at again', failure('store_failed'), 'discovered', 2],
    [
      'for what the system says of it is looked at again',
      failure('invalid_zip', { cause: full }),
      'discovered',
      2,
    ],
  ])('%s', async (_, error, state, opens) => {
    const { zips, opened, told } = await refusing(error, 3_600_000);
    for (const _look of ['first', 'second']) expect(await zips()).toMatchObject([{ state }]);
    expect(opened()).toBe(opens);
    expect(told).toEqual(state === 'invalid' ? ['invalid a.zip manifest_invalid'] : []);
  });

  test('because the system refuses it says what the system says', async () => {
    const { zips } = await refusing(failure('invalid_zip', { cause: full }));
    expect(await zips()).toMatchObject([{ ...SETTLING[0], reason: { code: 'invalid_zip' } }]);
  });

  test.runIf(canLink())(
    'for it is a link that leads to itself is named with that, and its neighbours are looked at',
    async () => {
      const { deliver, inZips, zips, told } = await looking();
      await deliver('a.zip');
      await symlink('loop.zip', inZips('loop.zip'));
      const reason = { code: 'store_failed', message: expect.stringMatching(/loop\.zip.*ELOOP/) as string };
      expect(await zips()).toMatchObject([
        { state: 'validated', path: inZips('a.zip') },
        { ...SETTLING[0], path: inZips('loop.zip'), sizeBytes: 0, reason },
      ]);
      expect(told).toEqual(['discovered a.zip']);
    },
  );

  test('and begins as a zip is waited for until it is settled', async () => {
    const growing = await refusing(failure('invalid_zip'), 3_600_000);
    expect(await growing.zips()).toMatchObject(SETTLING);
    expect(growing.told).toEqual([]);
    const settled = await refusing(failure('invalid_zip'));
    expect(await settled.zips()).toMatchObject([{ state: 'invalid', settling: false }]);
  });

  test.each([[new TypeError('x')], [failure('aborted')]])(
    'because of %s fails the look itself',
    async (error) => {
      const { zips, told } = await refusing(error);
      await expect(zips()).rejects.toBe(error);
      expect(told).toEqual([]);
    },
  );
});

test('looks that are given up end at once', async () => {
  const { discovery, deliver, deployer, zip } = await looking();
  const signal = AbortSignal.abort();
  const aborted = { code: 'aborted', message: expect.stringContaining('scan') as string };
  expect(await discovery.scanZips([], { signal })).toEqual([]);
  await deliver('a.zip');
  await expect(discovery.scanZips([], { signal })).rejects.toMatchObject(aborted);
  await discovery.scanZips([]);
  await expect(discovery.scanZips([], { signal })).rejects.toMatchObject(aborted); // it need not be opened any more
  await deployer.install(await zip());
  await expect(discovery.scan({ signal })).rejects.toMatchObject({ code: 'aborted' });
});

test('zips are told in the order of their names, in whatever order the folder has them', async () => {
  const { zips, inZips } = await looking();
  const names = 'kcxqaztbmwdyhpe'.split('').map((letter) => `${letter}${letter}.zip`);
  for (const name of names) await writeFile(inZips(name), 'no zip');
  expect((await zips()).map(({ path: file }) => path.basename(file))).toEqual([...names].sort());
});

test('zips of two versions of a package that are deployed are both deployed', async () => {
  const { discovery, deliver, deployer } = await looking();
  for (const version of ['1.0.0', '2.0.0'])
    await deployer.install(await deliver(`${version}.zip`, { version }));
  const zips = (await discovery.scan()).filter(({ source }) => source === 'zip');
  expect(zips.map(({ state }) => state)).toEqual(['deployed', 'deployed']);
});

describe('a look at what is deployed', () => {
  /** A store with one version; the list is that of an earlier moment, and the registry answers `get` as the test says. */
  async function stale(before: (call: number) => Promise<void> | void = () => undefined) {
    const ground = await looking();
    const { registry, deployer, zip } = ground;
    await deployer.install(await zip());
    const list = await registry.list();
    let calls = 0;
    const discovery = new Discovery({
      ...{ steps: plainSteps, settleMs: 0, onDiscovered: () => undefined, onInvalid: () => undefined },
      registry: {
        layout: registry.layout,
        list: () => Promise.resolve(list),
        removedAt: (sha256) => registry.removedAt(sha256),
        get: async (name, version) => {
          await before(++calls);
          return registry.get(name, version);
        },
      },
    });
    const folder = registry.layout.deployed('sample', '1.0.0');
    const marker = path.join(folder, '.procvision-version.json');
    return { ...ground, discovery, folder, marker, calls: () => calls };
  }
  const DAMAGED = { state: 'invalid', reason: { code: 'store_damaged' } };

  test('of a whole version asks nobody a second time', async () => {
    const { discovery, calls } = await stale();
    expect(await discovery.scan()).toMatchObject([
      { source: 'deployed', name: 'sample', version: '1.0.0', state: 'deployed', settling: false },
    ]);
    expect(calls()).toBe(0);
  });

  test('that is given up ends before the next version', async () => {
    const { discovery } = await stale();
    await expect(discovery.scan({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      ...{ code: 'aborted', message: expect.stringContaining('scan') as string },
    });
  });

  test('of a version of which nobody has said how large it is gives 0 bytes', async () => {
    const { discovery, registry, deployer, zip } = await looking();
    const { size_bytes: _, ...entry } = await deployer.install(await zip());
    await registry.register({ ...entry, version: '5' });
    expect((await discovery.scan()).find(({ version }) => version === '5')).toMatchObject({ sizeBytes: 0 });
  });

  test('of a version that was removed meanwhile does not name it', async () => {
    const { discovery, deployer } = await stale();
    await deployer.uninstall('sample', '1.0.0');
    expect(await discovery.scan()).toEqual([]);
  });

  test('of a version that is whole again by the second look is that it is deployed', async () => {
    const place = { marker: '' };
    const ground = await stale(() => rename(`${place.marker}.away`, place.marker));
    place.marker = ground.marker;
    await rename(ground.marker, `${ground.marker}.away`);
    const [found] = await ground.discovery.scan();
    expect([found?.state, found?.busy]).toEqual(['deployed', undefined]);
  });

  test('of a version that is not whole is that it is damaged, or who works on it', async () => {
    const { discovery, marker, registry } = await stale();
    await rm(marker);
    expect(await discovery.scan()).toMatchObject([
      { ...DAMAGED, reason: { message: expect.stringContaining('not complete') as string } },
    ]);
    const lock = await lockVersion(registry.layout, 'sample', '1.0.0', {
      ...{ operation: 'install', timeoutMs: 0 },
    });
    const [found] = await discovery.scan();
    expect(found).toMatchObject({
      state: 'deployed',
      busy: { pid: process.pid, processId: process.pid, operation: 'install sample 1.0.0' },
    });
    await lock.release();
  });

  test('of a folder that nobody lists takes no part of a copy, and nothing beside a lock, for a version', async () => {
    const { discovery, folder } = await stale();
    const beside = (name: string) => path.join(path.dirname(folder), name);
    for (const name of ['.2.0.0.part', '3.0.0', '4.0.0', '5.lock.d']) await mkdir(beside(name));
    await writeFile(beside('3.0.0.lock'), '');
    await writeFile(beside('CON'), ''); // a file, with a name that no folder of ours has
    const invalid = (await discovery.scan()).filter(({ state }) => state === 'invalid');
    expect(invalid).toMatchObject([{ ...DAMAGED, version: '4.0.0', path: beside('4.0.0') }]);
  });

  test.each([
    ['removed between two looks', async (folder: string) => rm(folder, { recursive: true })],
    ['left where it is', () => undefined],
  ])('of a folder that nobody lists and that is %s', async (what, act) => {
    const place = { folder: '' };
    const ground = await stale((call) => (call === 1 ? act(place.folder) : undefined));
    place.folder = path.join(path.dirname(ground.folder), '9');
    await mkdir(place.folder);
    const found = (await ground.discovery.scan()).filter(({ version }) => version === '9');
    expect(found).toHaveLength(what.startsWith('left') ? 1 : 0);
  });

  test('of a folder that somebody begins to work on, or has listed, between two looks does not call it damaged', async () => {
    for (const first of [1, 2]) {
      const place = { lock: () => Promise.resolve() };
      const ground = await stale((call) => (call === first ? place.lock() : undefined));
      const nine = ground.registry.layout.deployed('sample', '9');
      await mkdir(nine);
      const entry = await ground.registry.get('sample', '1.0.0');
      if (!entry) throw new Error('it is installed');
      place.lock = () => ground.registry.register({ ...entry, version: '9' }).then(() => undefined);
      const found = (await ground.discovery.scan()).filter(({ version }) => version === '9');
      expect(found).toEqual([]);
      expect(ground.calls()).toBe(first);
    }
  });

  test('of a removal that the disk has cut off calls nothing damaged', async () => {
    const { discovery, deployer, registry, zip } = await looking();
    await deployer.install(await zip());
    {
      const at = { call: 'rename', target: '/old' };
      using _ = watchFileSteps(registry.layout.root, { mode: 'fail', code: 'EIO', at, times: 2 });
      await deployer.uninstall('sample', '1.0.0').catch(() => undefined);
    }
    await stat(registry.layout.deployed('sample', '1.0.0'));
    expect(await discovery.scan()).toEqual([]);
  });
});
