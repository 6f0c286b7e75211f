import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { EarlyUnpack } from '../../src/python/wheels/early-unpack.js';
import { installByLink } from '../../src/python/wheels/install-link.js';
import type { Installation } from '../../src/python/pip/install-pip.js';
import { WheelStore } from '../../src/python/wheels/wheel-store.js';
import { hashesOf, installationOf, smallWheel } from '../support/installation.js';
import { temporaryFolder } from '../support/temp-folder.js';

const emptyStore = async () => new WheelStore(path.join(await temporaryFolder(), 'store'));

async function begin(installation: Installation, store: WheelStore) {
  const hashes = await hashesOf(installation);
  const { venv, timeoutMs } = installation;
  const early = new EarlyUnpack(installation, store, {
    hashes,
    helper: { python: venv.interpreter.path, timeoutMs },
  });
  /** Files of the wheels that are in the store. */
  const unpacked = async () => {
    const isThere = async (file: string) => {
      const folder = store.folderOf(hashes.get(file) ?? '');
      return stat(path.join(folder, 'entry.json')).then(
        () => [file],
        () => [],
      );
    };
    return (await Promise.all([...hashes.keys()].map(isThere))).flat();
  };
  return { early, unpacked };
}

const building = (store: WheelStore) => readdir(path.join(store.root, 'building')).catch(() => []);

test('the only wheel of a project is unpacked early, two rivals and what fits no interpreter are not', async () => {
  const given = await installationOf(
    [
      smallWheel('alone', '1'),
      smallWheel('rival', '1'),
      smallWheel('rival', '2'),
      smallWheel('foreign', '1', { tag: 'cp27-cp27m-win32' }),
    ],
    'alone\n',
  );
  const { early, unpacked } = await begin(given, await emptyStore());
  const told: number[] = [];
  await early.finish(new Set(given.wheels.map(({ file }) => file)), (done) => told.push(done));
  expect(await unpacked()).toEqual(['alone-1-py3-none-any.whl']);
  expect(told.at(-1)).toBe(given.wheels.find(({ name }) => name === 'alone')?.sizeBytes);
});

test('a wheel that turns out not to be wanted is given up, and nothing half made is left', async () => {
  const big = { 'big/data.bin': new Uint8Array(40_000_000) };
  const given = await installationOf([smallWheel('big', '1', { files: big }), smallWheel('small', '1')], '');
  const store = await emptyStore();
  const { early, unpacked } = await begin(given, store);
  await early.finish(new Set(['small-1-py3-none-any.whl']));
  expect(await unpacked()).toEqual(['small-1-py3-none-any.whl']);
  expect(await building(store)).toEqual([]);
});

test('a damaged wheel that is not wanted is no fault of the installation, and one that is wanted is', async () => {
  const given = await installationOf([smallWheel('good', '1'), smallWheel('bad', '1')], 'good\n');
  const file = path.join(given.wheelsFolder, 'bad-1-py3-none-any.whl');
  const bytes = await readFile(file);
  const within = bytes.indexOf('bad.py') + 8; // the content follows the name in its header
  bytes.writeUInt8(bytes.readUInt8(within) ^ 0xff, within);
  await writeFile(file, bytes);
  const store = await emptyStore();
  expect(await installByLink(given, store)).toMatchObject({ installed: [{ name: 'good' }] });
  const both = { ...given, requirements: { ...given.requirements, lines: ['good', 'bad'] } };
  await expect(installByLink(both, store)).rejects.toThrow('bad');
});

test('when pip finds no choice, nothing goes on being unpacked behind the error', async () => {
  const given = await installationOf([smallWheel('there', '1')], 'there\nabsent\n');
  const store = await emptyStore();
  await expect(installByLink(given, store)).rejects.toMatchObject({ code: 'wheels_missing' });
  expect(await building(store)).toEqual([]);
});

test('a store that promises durability builds anew what was built without it, and trusts its own after a power cut', async () => {
  const given = await installationOf([smallWheel('one', '1')], 'one\n');
  const store = await emptyStore();
  const [[file, sha256] = ['', '']] = await hashesOf(given);
  const helper = { python: given.venv.interpreter.path, timeoutMs: 60_000 };
  const ensure = () => store.ensure({ path: path.join(given.wheelsFolder, file), sha256 }, helper);
  const first = await ensure();
  expect(first.entry.durable).toBe(false);
  const inode = async () => (await stat(path.join(first.folder, 'tree/one.py'))).ino;
  const before = await inode();

  store.durability = 'full';
  expect((await ensure()).entry.durable).toBe(true);
  expect(await inode()).not.toBe(before);

  const marker = path.join(first.folder, 'entry.json');
  const ofOtherBoot = { ...(await ensure()).entry, boot_id: 'an earlier one' };
  await writeFile(marker, JSON.stringify(ofOtherBoot));
  expect((await ensure()).entry.boot_id).toBe('an earlier one'); // not read again
});
