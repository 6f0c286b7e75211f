import { open, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Deployer, Registry, VenvManager } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { deployStore } from '../support/deploy-store.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('two deployers on one VenvManager keep the wheels of each store in that store', async () => {
  const folder = await temporaryFolder();
  const zip = path.join(folder, 'a.zip');
  await writeFile(zip, await buildPackage()); // its SDK is a wheel
  const venvs = new VenvManager({ installer: 'link' });
  const roots = ['one', 'two'].map((name) => path.join(folder, name));
  for (const root of roots) {
    const registry = await Registry.open(root, { durability: 'none' });
    const deployer = new Deployer({ registry, venvs });
    onTestFinished(async () => {
      await deployer.close();
      await registry.close();
    });
    await deployer.install(zip);
  }
  for (const root of roots) {
    expect((await stat(path.join(root, 'algorithms', '.wheels', 'entries'))).isDirectory()).toBe(true);
  }
});

test('two hosts that watch one folder install what comes once, and neither tells an error', async () => {
  const { deployer, registry, zip, join } = await deployStore({ settleMs: 0 });
  const other = await join({ settleMs: 0 });
  const events: unknown[] = [];
  for (const one of [deployer, other.deployer]) {
    one.on('error', (event) => events.push(event));
    one.on('invalid', (event) => events.push(event));
  }
  await using _first = deployer.watch({ intervalMs: 3, install: true });
  await using _second = other.deployer.watch({ intervalMs: 3, install: true });
  for (let n = 1; n <= 8; n++) {
    await rename(await zip({ version: `1.0.${n}` }), path.join(registry.layout.zips, `${n}.zip`));
  }
  await vi.waitFor(async () => {
    expect(await registry.list()).toHaveLength(8);
  }, 30_000);
  await Promise.all([deployer.scan(), other.deployer.scan()]);
  expect(events).toEqual([]);
});

test('a file whose time was kept while its bytes came later is looked at again when they are there', async () => {
  const { deployer, registry, zip } = await deployStore({ settleMs: 0 });
  const whole = await zip();
  const bytes = await readFile(whole);
  const file = path.join(registry.layout.zips, 'copied.zip');
  const then = new Date(Date.now() - 3_600_000);
  // As a copying tool that reserves the room, and sets the time before its last bytes are written.
  const handle = await open(file, 'w');
  await handle.writeFile(bytes.subarray(0, bytes.length - 400));
  await handle.truncate(bytes.length);
  await handle.close();
  await utimes(file, then, then);
  const stateOf = async () => (await deployer.scan())[0]?.state;
  await vi.waitFor(async () => {
    expect(await stateOf()).toBe('invalid');
  }, 20_000);
  const late = await open(file, 'r+');
  await late.write(bytes.subarray(bytes.length - 400), 0, 400, bytes.length - 400);
  await late.close();
  await utimes(file, then, then);
  expect(await stateOf()).toBe('validated');
});
