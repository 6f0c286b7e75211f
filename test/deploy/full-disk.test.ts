import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Deployer, Registry } from '../../src/index.js';
import { asStoreError } from '../../src/store/store-error.js';
import { buildPackage } from '../../src/testing/index.js';
import { deployStore } from '../support/deploy-store.js';
import { NO_MOUNTS, smallDisk } from '../support/mounts.js';

/** A store with three versions, the last of them active, on a disk that is then filled to the last block. */
async function fullStore() {
  const { folder, fill } = await smallDisk(16);
  const store = await deployStore({ retention: { keep: 1 } }, folder);
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
    await store.deployer.install(
      await store.zip({ version, files: { 'big.bin': Buffer.alloc(300_000, 1) } }),
    );
  }
  await store.registry.activate({ name: 'sample', version: '3.0.0', productIds: ['A01'] });
  fill();
  await expect(writeFile(path.join(folder, 'more'), 'x')).rejects.toMatchObject({ code: 'ENOSPC' });
  const versions = async () => (await store.registry.list()).map(({ version }) => version);
  return { ...store, fill, versions };
}

const reserveBytes = async (file: string) => (await stat(file).catch(() => ({ size: 0 }))).size;

test.skipIf(NO_MOUNTS)(
  'on a disk without one free block versions can be pruned, and the reserve is made again',
  async () => {
    const { deployer, registry, versions, fill } = await fullStore();
    const before = await reserveBytes(registry.layout.reserve);
    expect(before).toBeGreaterThan(200_000);
    expect(await deployer.prune()).toMatchObject({ pruned: [{ version: '2.0.0' }, { version: '1.0.0' }] });
    expect(await versions()).toEqual(['3.0.0']);
    expect(await deployer.verify('sample', '3.0.0')).toMatchObject({ intact: true });
    expect(await reserveBytes(registry.layout.reserve)).toBe(before);
    fill();
    await deployer.uninstall('sample', '3.0.0', { force: true });
    expect(await versions()).toEqual([]);
  },
);

test.skipIf(NO_MOUNTS)(
  'on a disk without one free block product ids can be bound, moved and freed, by a host that has just started too',
  async () => {
    const { join, registry, fill, versions } = await fullStore();
    await registry.switch({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
    fill();
    const other = await join();
    expect(await other.registry.rollback({ productId: 'A01' })).toMatchObject({ version: '3.0.0' });
    fill();
    await using use = await other.registry.use('sample', '3.0.0');
    fill();
    await other.registry.deactivate({ productIds: ['A01'] });
    fill();
    await expect(other.deployer.uninstall('sample', '3.0.0')).rejects.toMatchObject({
      code: 'unsafe_uninstall',
    });
    await use.release();
    await other.deployer.uninstall('sample', '3.0.0');
    expect(await versions()).toEqual(['1.0.0', '2.0.0']);
  },
);

test.skipIf(NO_MOUNTS)(
  'an install on a disk without one free block fails, leaves the reserve to those who remove, and the store as it was',
  async () => {
    const { deployer, registry, content, folder } = await fullStore();
    const before = await content();
    await expect(deployer.install(path.join(folder, 'package-1.zip'), { force: true })).rejects.toMatchObject(
      {
        ...{ code: 'store_failed', cause: { code: 'ENOSPC' } },
      },
    );
    expect(await content()).toEqual(before);
    expect(await reserveBytes(registry.layout.reserve)).toBeGreaterThan(200_000);
  },
);

test.skipIf(NO_MOUNTS)(
  'a disk with too few inodes refuses the package before anything is unpacked, and takes it once files were removed there',
  async () => {
    const { folder } = await smallDisk(16, 400);
    const store = await deployStore({}, folder);
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`f${n}.txt`, '']));
    const file = await store.zip({ files });
    const fillers = path.join(folder, 'many');
    await mkdir(fillers);
    for (let n = 0; n < 280; n++) await writeFile(path.join(fillers, `${n}`), '');
    const before = await store.content();
    await expect(store.deployer.install(file)).rejects.toMatchObject({
      ...{ code: 'store_failed', cause: { code: 'ENOSPC' } },
      message: expect.stringMatching(
        /not enough inodes .* takes \d+ more.*remove many files there/s,
      ) as string,
    });
    expect(await store.content()).toEqual(before);
    await rm(fillers, { recursive: true });
    await store.deployer.install(file);
  },
);

test.skipIf(NO_MOUNTS)(
  'a file that cannot be made for want of an inode says so, not that bytes are short',
  async () => {
    const { folder } = await smallDisk(16, 20);
    for (let n = 0; ; n++) {
      const failure = await writeFile(path.join(folder, `${n}`), '').then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) continue;
      expect(failure).toMatchObject({ code: 'ENOSPC' });
      expect(asStoreError(failure, 'write')).toMatchObject({
        message: expect.stringMatching(/no inode is left: remove many files/) as string,
      });
      break;
    }
  },
);

/** An algorithm that takes a second, and then does what is given. */
const slow = (then: string) => `from procvision_algorithm_sdk import BaseAlgorithm
import time

class Algorithm(BaseAlgorithm):
    def execute(self, *call):
        time.sleep(1)
        ${then}
        return {"status": "OK", "message": "", "data": {"result_status": "OK"}}
`;

test.skipIf(NO_MOUNTS).each([
  ['becomes full during the trial', true, 'pass', 'store_failed', /disk is full.* may be right.*prune\(\)/s],
  [
    'has room while the algorithm says that its own has none',
    ...([false, 'raise OSError(28, "No space left on device")', 'install_failed', /No space left/] as const),
  ],
] as const)('a trial on a disk that %s blames the right side', async (_, fills, then, code, message) => {
  const { folder, fill } = await smallDisk(24);
  const root = path.join(folder, 'store');
  await using registry = await Registry.open(root, { durability: 'none' });
  await using deployer = new Deployer({ registry });
  const zip = path.join(folder, 'slow.zip');
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': slow(then) };
  await writeFile(zip, await buildPackage({ generation: 'execute-only', files }));
  let isFilled = !fills;
  const timer = setInterval(() => {
    // The trial has begun once its order is there. A look that meets a folder which is just removed finds
    // nothing: the next one sees it.
    void readdir(root, { recursive: true })
      .catch((): string[] => [])
      .then((names) => {
        if (isFilled || !names.some((name) => name.endsWith('order.json'))) return;
        isFilled = true;
        fill();
      });
  }, 20);
  const failure = await deployer.install(zip).catch((error: unknown) => error);
  clearInterval(timer);
  expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as string });
});
