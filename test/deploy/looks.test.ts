import { mkdir, rename, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { lockVersion } from '../../src/deploy/transaction/version-lock.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { deployStore } from '../support/deploy-store.js';

test('looks of another host while a version is replaced and removed again and again call nothing damaged', async () => {
  const { deployer, join, zip } = await deployStore();
  const file = await zip({ version: '1.0.0' });
  await deployer.install(file);
  const { deployer: other } = await join();
  const host = { isDone: false };
  const alarms: unknown[] = [];
  let looks = 0;
  const looking = (async () => {
    while (!host.isDone) {
      for (const found of await other.scan()) {
        if (found.source === 'deployed' && found.state === 'invalid') alarms.push(found.reason);
      }
      const report = await other.verify('sample', '1.0.0').catch((error: unknown) => error);
      if (RunnerError.is(report)) {
        if (!['not_found', 'busy'].includes(report.code)) alarms.push(report);
      } else if (!(report as { intact: boolean }).intact) alarms.push(report);
      looks++;
    }
  })();
  for (let turn = 1; turn <= 25; turn++) {
    await deployer.install(file, { force: true });
    if (turn % 3 === 0) await deployer.uninstall('sample', '1.0.0');
  }
  host.isDone = true;
  await looking;
  expect(looks).toBeGreaterThan(5);
  expect(alarms).toEqual([]);
});

test('a version that looks damaged while another operation holds it is busy, with who', async () => {
  const { deployer, registry, zip } = await deployStore();
  await deployer.install(await zip({ version: '1.0.0' }));
  const { layout } = registry;
  const away = `${layout.deployed('sample', '1.0.0')}.away`;
  {
    const lock = await lockVersion(layout, 'sample', '1.0.0', { operation: 'install', timeoutMs: 0 });
    await rename(layout.deployed('sample', '1.0.0'), away);
    await expect(deployer.verify('sample', '1.0.0')).rejects.toMatchObject({
      code: 'busy',
      details: { holder: { pid: process.pid, operation: 'install sample 1.0.0' } },
    });
    const found = (await deployer.scan()).find(({ version }) => version === '1.0.0');
    expect(found).toMatchObject({ state: 'deployed', busy: { pid: process.pid } });
    await lock.release();
  }
  // Nobody works on it now: it is damaged indeed.
  expect((await deployer.verify('sample', '1.0.0')).intact).toBe(false);
  expect((await deployer.scan()).find(({ version }) => version === '1.0.0')?.state).toBe('invalid');
});

test('a version whose removal the disk has cut off is no damage to a look, and is gone after a recovery', async () => {
  const { deployer, zip, registry } = await deployStore();
  await deployer.install(await zip({ version: '1.0.0' }));
  const { layout } = registry;
  {
    const at = { call: 'rename', target: '/old' };
    using _ = watchFileSteps(layout.root, { mode: 'fail', code: 'EIO', at, times: 2 });
    await deployer.uninstall('sample', '1.0.0').catch(() => undefined);
  }
  expect(await registry.list()).toEqual([]);
  await stat(layout.deployed('sample', '1.0.0')); // it is there still
  const deployed = async () => (await deployer.scan()).filter(({ source }) => source === 'deployed');
  expect(await deployed()).toEqual([]);
  await deployer.recover();
  await expect(stat(layout.deployed('sample', '1.0.0'))).rejects.toThrow('ENOENT');
  // A folder that comes there by itself is told of.
  await mkdir(layout.deployed('sample', '1.0.0'), { recursive: true });
  expect(await deployed()).toMatchObject([{ state: 'invalid' }]);
});

test('a version whose replacement the disk has cut off is busy, with who, until a recovery has put it right', async () => {
  const { deployer, zip, registry } = await deployStore();
  const file = await zip({ version: '1.0.0' });
  await deployer.install(file);
  {
    const at = { call: 'rename', target: '/1.0.0' };
    using _ = watchFileSteps(registry.layout.root, { mode: 'fail', code: 'EIO', at, times: Infinity });
    await expect(deployer.install(file, { force: true })).rejects.toMatchObject({ code: 'store_failed' });
  }
  const found = (await deployer.scan()).find(({ source }) => source === 'deployed');
  expect(found).toMatchObject({
    state: 'deployed',
    busy: { pid: process.pid, operation: 'install sample 1.0.0' },
  });
  const refusal = {
    code: 'busy',
    message: expect.stringContaining('recover() finishes or undoes it') as string,
  };
  await expect(deployer.verify('sample', '1.0.0')).rejects.toMatchObject(refusal);
  {
    const full = { mode: 'fail', code: 'ENOSPC', at: 1, times: Infinity } as const;
    using _ = watchFileSteps(registry.layout.root, full); // no lock can be had
    await expect(deployer.verify('sample', '1.0.0')).rejects.toMatchObject(refusal);
  }
  await deployer.recover();
  expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
});
