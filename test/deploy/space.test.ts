import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { expect, onTestFinished, test } from 'vitest';
import { deployStore } from '../support/deploy-store.js';
import { IS_WINDOWS } from '../support/platform.js';

/** Makes the file system tell that it has this many bytes left; the real one cannot be filled to measure. */
function tellFreeBytes(bytes: number): void {
  const original = fs.promises.statfs;
  const statfs = async (...args: Parameters<typeof original>) => {
    const stats = await original(...args);
    return Object.assign(stats, { bavail: Math.floor(bytes / Number(stats.bsize)) });
  };
  fs.promises.statfs = statfs as typeof original;
  syncBuiltinESMExports();
  onTestFinished(() => {
    fs.promises.statfs = original;
    syncBuiltinESMExports();
  });
}

test('a disk with too little space left refuses the package before anything is unpacked, with both figures', async () => {
  const { deployer, zip, content } = await deployStore();
  const file = await zip({ files: { 'big.bin': Buffer.alloc(2_000_000) }, stored: true });
  const before = await content();
  tellFreeBytes(1_000_000);
  const stages: string[] = [];
  deployer.on('stage', ({ stage }) => stages.push(stage));
  const errors: unknown[] = [];
  deployer.on('error', ({ error }) => errors.push(error));
  await expect(deployer.install(file)).rejects.toMatchObject({
    ...{ code: 'store_failed', errorCode: '2005', cause: { code: 'ENOSPC' } },
    details: { availableBytes: expect.any(Number) as number, neededBytes: expect.any(Number) as number },
  });
  expect(stages).toEqual(['inspect', 'space']);
  expect(errors).toEqual([]); // its caller was told
  expect(await content()).toEqual(before);
});

test('a prune on a full disk says what it needs, names the file and changes nothing', async () => {
  const { deployer, registry, zip } = await deployStore({ retention: { keep: 1 } });
  for (const version of ['1.0.0', '2.0.0']) await deployer.install(await zip({ version }));
  // What writes the owner of a lock: on Windows not every user may make symbolic links.
  const name = IS_WINDOWS ? 'link' : 'symlink';
  const original = fs.promises[name];
  const full = Object.assign(new Error('ENOSPC: no space left on device, symlink {"pid":1}'), {
    code: 'ENOSPC',
  });
  fs.promises[name] = () => Promise.reject(full);
  syncBuiltinESMExports();
  onTestFinished(() => {
    fs.promises[name] = original;
    syncBuiltinESMExports();
  });
  const failure = await deployer.prune().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'store_failed', cause: { code: 'ENOSPC' } });
  expect((failure as Error).message).toContain(`${registry.layout.versionLock('sample', '1.0.0')}.owner`);
  expect((failure as Error).message).toContain('free a little space outside the store first');
  expect((failure as Error).message).not.toContain('"pid"');
  expect(await registry.list()).toHaveLength(2);
});

test('a disk with enough space takes it', async () => {
  const { deployer, zip } = await deployStore();
  tellFreeBytes(50_000_000);
  await expect(deployer.install(await zip())).resolves.toMatchObject({ name: 'sample' });
});
