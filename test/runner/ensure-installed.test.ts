import { Blob } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { PackageSource, Runner, RunnerOptions } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { temporaryRunner } from '../support/open-runner.js';

/** Without wheels and without a trial run: an install is a matter of its archive then. */
const QUICK: RunnerOptions = { validator: { smoke: false }, registry: { durability: 'none' } };
const build = (version = '1.0.0', more: object = {}) => buildPackage({ version, sdk: null, ...more });

async function openWithZip(o: RunnerOptions = QUICK) {
  const { runner, folder } = await temporaryRunner(o);
  const bytes = await build();
  const zip = path.join(folder, 'päckage #1 %.zip');
  await writeFile(zip, bytes);
  return { runner, folder, zip, bytes };
}

/** What of a finished or failed operation would still be in the store. */
async function leftovers({ registry }: Runner): Promise<string[]> {
  return readdir(registry.layout.staging).catch(() => []);
}

type Make = (zip: string, bytes: Uint8Array) => PackageSource;
const SOURCES: [title: string, make: Make, isKept: boolean][] = [
  ['a path', (zip) => zip, false],
  ['a file: URL', (zip) => pathToFileURL(zip), false],
  ['a file: URL as a string', (zip) => pathToFileURL(zip).href, false],
  ['a Uint8Array', (_zip, bytes) => new Uint8Array(bytes), true],
  ['a part of a larger buffer', (_zip, bytes) => Buffer.concat([Buffer.alloc(7), bytes]).subarray(7), true],
  ['a Blob', (_zip, bytes) => new Blob([bytes]), true],
  ['a Node stream', (zip) => createReadStream(zip), true],
  ['a web stream', (zip) => Readable.toWeb(createReadStream(zip)) as ReadableStream<Uint8Array>, true],
];

describe.each(SOURCES)('%s', (_title, make, isKept) => {
  test('is installed once: the same bytes again change nothing', async () => {
    const { runner, zip, bytes } = await openWithZip();
    const installed: string[] = [];
    runner.deployer.on('installed', ({ entry }) => installed.push(entry.version));
    const first = await runner.ensureInstalled(make(zip, bytes), { operator: 'anna' });
    expect(first).toMatchObject({ name: 'sample', version: '1.0.0', operator: 'anna' });
    expect(first).not.toHaveProperty('origin');
    const again = await runner.ensureInstalled(make(zip, bytes), { force: true });
    expect(again.deployment_id).toBe(first.deployment_id);
    expect(installed).toEqual(['1.0.0']);
    expect(await readdir(runner.registry.layout.zips)).toEqual(isKept ? ['sample-v1.0.0-offline.zip'] : []);
    expect(await leftovers(runner)).toEqual([]);
  });
});

test('other bytes of a deployed version are refused, and replace it by force', async () => {
  const { runner, zip } = await openWithZip();
  const first = await runner.ensureInstalled(zip);
  const other = await build('1.0.0', { pids: ['A01', 'A02'] });
  await expect(runner.ensureInstalled(other)).rejects.toMatchObject({ code: 'already_installed' });
  const second = await runner.ensureInstalled(other, { force: true });
  expect(second.supported_pids).toEqual(['A01', 'A02']);
  expect(second.deployment_id).not.toBe(first.deployment_id);
});

test('two runners of one process and one store that are given the same bytes at once both get the version', async () => {
  const { runner, bytes } = await openWithZip();
  const [a, b] = await Promise.all([runner.ensureInstalled(bytes), runner.ensureInstalled(bytes)]);
  expect(a.deployment_id).toBe(b.deployment_id);
});

describe('activate', () => {
  test('true binds every product id that the package supports, a list those; again it writes nothing', async () => {
    const { runner } = await openWithZip();
    const bytes = await build('1.0.0', { pids: ['A01', 'A02', 'A03'] });
    await runner.ensureInstalled(bytes, { activate: ['A02'], operator: 'anna' });
    expect(Object.keys(await runner.registry.active())).toEqual(['A02']);
    await runner.ensureInstalled(bytes, { activate: true, operator: 'berta' });
    const active = await runner.registry.active();
    expect(Object.keys(active).sort()).toEqual(['A01', 'A02', 'A03']);
    expect(active.A02?.operator).toBe('anna');
    expect(active.A03?.operator).toBe('berta');
  });

  test('an id that the package does not support is refused; the version stays installed', async () => {
    const { runner, bytes } = await openWithZip();
    await expect(runner.ensureInstalled(bytes, { activate: ['B'] })).rejects.toMatchObject({
      code: 'invalid_pid',
    });
    expect(await runner.registry.list()).toHaveLength(1);
    expect(await runner.registry.active()).toEqual({});
  });

  test('true for a package that names no product ids is refused with what to give', async () => {
    const { runner } = await openWithZip();
    const bytes = await buildPackage({ generation: 'execute-only', requirements: '' });
    await expect(runner.ensureInstalled(bytes, { activate: true })).rejects.toMatchObject({
      code: 'invalid_params',
      message: expect.stringContaining('give activate a list') as string,
    });
  });
});

describe('a project folder', () => {
  async function project(folder: string): Promise<string> {
    const root = path.join(folder, 'board check');
    const files: Record<string, string> = {
      'manifest.json': JSON.stringify({
        name: 'sample',
        version: '1.0.0',
        entry_point: 'algorithm.main:Algorithm',
        supported_pids: ['A01'],
      }),
      'requirements.txt': '',
      'algorithm/__init__.py': '',
      'algorithm/main.py': 'class Algorithm: pass\n',
      'algorithm/__pycache__/main.cpython-311.pyc': 'old',
      '.git/config': 'secret',
      'venv/bin/python': 'not a part of it',
    };
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      await writeFile(path.join(root, name), text);
    }
    return root;
  }

  test('is packed and installed, marked as local; unchanged it is left alone, changed it is refused unless forced', async () => {
    const { runner, folder } = await temporaryRunner(QUICK);
    const root = await project(folder);
    const first = await runner.ensureInstalled(root, { activate: true });
    expect(first).toMatchObject({ name: 'sample', version: '1.0.0', origin: 'local' });
    const deployed = runner.registry.layout.deployed('sample', '1.0.0');
    expect(await readFile(path.join(deployed, 'algorithm/main.py'), 'utf8')).toBe('class Algorithm: pass\n');
    expect(await readdir(deployed)).not.toContain('.git');
    expect((await runner.ensureInstalled(root)).deployment_id).toBe(first.deployment_id);
    expect(await runner.registry.get('sample', '1.0.0')).toMatchObject({ origin: 'local' });

    await writeFile(path.join(root, 'algorithm/main.py'), 'class Algorithm: x = 1\n');
    await expect(runner.ensureInstalled(pathToFileURL(root))).rejects.toMatchObject({
      code: 'already_installed',
    });
    await runner.ensureInstalled(root, { force: true });
    expect(await readFile(path.join(deployed, 'algorithm/main.py'), 'utf8')).toContain('x = 1');
    expect(await leftovers(runner)).toEqual([]);
  });

  test('is refused where integrity is strict, and nothing is installed', async () => {
    const { runner, folder } = await temporaryRunner({
      ...QUICK,
      validator: { integrity: { mode: 'strict', publicKeys: [] } },
    });
    const root = await project(folder);
    await expect(runner.ensureInstalled(root)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringContaining('installed from its signed zip') as string,
    });
    expect(await runner.registry.list()).toEqual([]);
  });

  test('without a manifest is refused by its path', async () => {
    const { runner, folder } = await temporaryRunner(QUICK);
    await mkdir(path.join(folder, 'empty'));
    await expect(runner.ensureInstalled(path.join(folder, 'empty'))).rejects.toMatchObject({
      code: 'manifest_missing',
    });
  });
});

test.each([
  ['a number', 7, 'must be a path'],
  ['nothing', undefined, 'must be a path'],
  ['a promise', Promise.resolve('x.zip'), 'is an await missing?'],
  ['an https: URL', 'https://example.com/x.zip', 'must be a file: URL'],
])('%s in place of a source is invalid_params', async (_title, source, message) => {
  const { runner } = await temporaryRunner(QUICK);
  await expect(runner.ensureInstalled(source as string)).rejects.toMatchObject({
    code: 'invalid_params',
    message: expect.stringContaining(message) as string,
  });
});

test('a path where nothing is, is refused as an install would', async () => {
  const { runner, folder } = await temporaryRunner(QUICK);
  const missing = path.join(folder, 'none.zip');
  const refused = await runner.deployer.install(missing).catch((error: unknown) => error);
  await expect(runner.ensureInstalled(missing)).rejects.toMatchObject({
    code: (refused as { code: string }).code,
  });
});

test('an aborted install of a stream leaves nothing in the store', async () => {
  const { runner, bytes } = await openWithZip();
  const aborting = new AbortController();
  const endless = new Readable({
    read() {
      this.push(bytes.subarray(0, 100));
      this.read = () => aborting.abort();
    },
  });
  await expect(runner.ensureInstalled(endless, { signal: aborting.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
  expect(await leftovers(runner)).toEqual([]);
  expect(await runner.registry.list()).toEqual([]);
});
