import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Deployer } from '../../../src/deploy/deployer.js';
import { withSteps } from '../../../src/deploy/given-steps.js';
import {
  exportPackage,
  PackageFetcher,
  type FetchProgress,
  type PackageFetcherOptions,
  type WantedPackage,
} from '../../../src/fleet/index.js';
import { Registry } from '../../../src/registry/registry.js';
import { openArchive, packageDigest } from '../../../src/signing/index.js';
import { noise, packageOf, serveFolder } from '../../support/content-source.js';
import { plainSteps } from '../../support/plain-steps.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** A station with an empty store, and a folder that is a source. */
async function setUp() {
  const folder = await temporaryFolder();
  const registry = await Registry.open(path.join(folder, 'station'), { durability: 'none' });
  onTestFinished(() => registry.close());
  const origin = path.join(folder, 'origin');
  const publish = async (
    label: string,
    zip: Uint8Array,
  ): Promise<{ wanted: WantedPackage; bytes: number }> => {
    const file = path.join(folder, `${label}.zip`);
    await writeFile(file, zip);
    const { size_bytes: bytes, ...wanted } = await exportPackage(file, origin);
    return { wanted, bytes };
  };
  const fetcher = (sources: string[], o: Partial<PackageFetcherOptions> = {}) =>
    new PackageFetcher({ registry, sources, idleMs: 5_000, ...o });
  const options = { registry };
  withSteps(options, plainSteps);
  const deployer = new Deployer(options);
  onTestFinished(() => deployer.close());
  const { zips, content } = registry.layout;
  return { folder, origin, registry, deployer, publish, fetcher, zips, content };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function digestOf(zip: string): Promise<string> {
  await using archive = await openArchive(zip);
  return await packageDigest(archive);
}

/** What is left of a fetch below the store, besides what it keeps on purpose. */
async function leftOvers(content: string): Promise<string[]> {
  const parts = ['work', 'partial'].map((part) => readdir(path.join(content, part)).catch(() => []));
  return (await Promise.all(parts)).flat();
}

test('a station that has nothing fetches all of a package, and its digest is the wanted one', async () => {
  const { origin, publish, fetcher, content } = await setUp();
  const big = noise(300_000);
  const { wanted, bytes } = await publish(
    'one',
    packageOf('1.0.0', { 'wheels/big.whl': big, 'sample/empty': '', 'sample/中文.py': 'x' }),
  );
  const source = await serveFolder(origin);
  const told: FetchProgress[] = [];
  const fetched = await fetcher([source.url]).fetch(wanted, { onProgress: (p) => told.push(p) });
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
  expect(fetched).toMatchObject({ fetchedBytes: source.sentBytes(), reusedBytes: 0 });
  expect(told.at(-1)).toMatchObject({ doneBytes: bytes, totalBytes: bytes });
  await fetched.release();
  expect(await leftOvers(content)).toEqual([]);
});

test('a change of one wheel in a hundred moves at most 5 % of the bytes, from a zip and from a deployed version', async () => {
  for (const from of ['zips', 'deployed'] as const) {
    const { origin, publish, fetcher, zips, deployer } = await setUp();
    const wheels = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`wheels/w${i}.whl`, noise(30_000)]),
    );
    const first = packageOf('1.0.0', { ...wheels, 'sample/algorithm/main.py': 'first' });
    const second = packageOf('1.1.0', {
      ...wheels,
      'sample/algorithm/main.py': 'second',
      'wheels/w7.whl': noise(30_000),
    });
    await mkdir(zips, { recursive: true });
    const file = path.join(zips, 'first.zip');
    await writeFile(file, first);
    if (from === 'deployed') {
      const elsewhere = path.join(origin, '..', 'stick.zip');
      await writeFile(elsewhere, first);
      await deployer.install(elsewhere);
      await writeFile(file, '');
    }
    const { wanted, bytes } = await publish('second', second);
    const source = await serveFolder(origin);
    const fetched = await fetcher([source.url]).fetch(wanted);
    expect(await digestOf(fetched.zip)).toBe(wanted.digest);
    expect(source.sentBytes()).toBe(fetched.fetchedBytes);
    expect(fetched.fetchedBytes / bytes).toBeLessThan(0.05);
    expect(fetched.reusedBytes).toBeGreaterThan(0.95 * bytes);
  }
});

test('a package whose zip lies in zips/ gets a second name and no source is asked', async () => {
  const { publish, fetcher, zips } = await setUp();
  const zip = packageOf('1.0.0', { 'wheels/a.whl': noise(1_000) });
  const { wanted } = await publish('one', zip);
  await mkdir(zips, { recursive: true });
  await writeFile(path.join(zips, 'one.zip'), zip);
  const fetched = await fetcher([]).fetch(wanted);
  expect(fetched.fetchedBytes).toBe(0);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
});

test('what is put together deploys, and the station is a source of it without its zip', async () => {
  const { origin, publish, fetcher, deployer, registry } = await setUp();
  const { wanted } = await publish(
    'one',
    packageOf('1.0.0', { 'wheels/a.whl': noise(1_000), 'README.txt': 'left out' }),
  );
  const fetched = await fetcher([(await serveFolder(origin)).url]).fetch(wanted);
  const entry = await deployer.install(fetched.zip);
  await fetched.release();
  expect(entry).toMatchObject({ name: 'sample', version: '1.0.0' });
  const again = await new PackageFetcher({ registry, sources: [] }).fetch(wanted);
  expect(again.fetchedBytes).toBe(0);
  expect(await digestOf(again.zip)).toBe(wanted.digest);
});

test('a fetch that was aborted goes on where it was, and fetches no byte twice', async () => {
  const { origin, publish, fetcher, content } = await setUp();
  const big = noise(9_000_000);
  const { wanted, bytes } = await publish('one', packageOf('1.0.0', { 'wheels/b.whl': big }));
  let hanging = true;
  const source = await serveFolder(origin, ({ url = '' }, response) => {
    if (!hanging || !url.endsWith(sha256(big))) return false;
    response.writeHead(200, { 'content-length': big.length });
    response.write(big.subarray(0, 5_000_000));
    return true;
  });
  const aborting = new AbortController();
  const first = fetcher([source.url], { lanes: 1 }).fetch(wanted, { signal: aborting.signal });
  const journal = path.join(content, 'partial', wanted.digest, 'journal');
  await vi.waitFor(async () => {
    expect(await readFile(journal, 'utf8')).toContain('part');
  }, 10_000);
  aborting.abort();
  await expect(first).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
  hanging = false;
  const fetched = await fetcher([source.url]).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
  expect(fetched.fetchedBytes).toBeLessThan(bytes - 4_000_000);
  expect(source.asked.filter((one) => one.includes('bytes='))).toHaveLength(1);
});

test('a line that breaks every two megabytes brings a package home all the same', async () => {
  const { origin, publish, fetcher } = await setUp();
  const big = noise(9_000_000);
  const { wanted, bytes } = await publish('one', packageOf('1.0.0', { 'wheels/b.whl': big }));
  const source = await serveFolder(origin, ({ url = '', headers }, response) => {
    if (!url.endsWith(sha256(big))) return false;
    const from = Number(/=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${big.length - 1}/${big.length}` };
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': big.length - from, ...(from > 0 && range) });
    response.write(big.subarray(from, from + 2_000_000), () => response.destroy());
    return true;
  });
  const fetched = await fetcher([source.url]).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
  expect(fetched.fetchedBytes).toBeLessThan(bytes + 10_000);
});

test('two fetches of one package at once both give it, and its bytes come once', async () => {
  const { origin, publish, fetcher } = await setUp();
  const { wanted, bytes } = await publish('one', packageOf('1.0.0', { 'wheels/a.whl': noise(2_000_000) }));
  const source = await serveFolder(origin);
  const both = await Promise.all([fetcher([source.url]).fetch(wanted), fetcher([source.url]).fetch(wanted)]);
  for (const { zip } of both) expect(await digestOf(zip)).toBe(wanted.digest);
  expect(source.sentBytes()).toBeLessThan(1.2 * bytes);
  for (const one of both) await one.release();
});

test('content that several entries share is fetched once', async () => {
  const { origin, publish, fetcher } = await setUp();
  const same = noise(100_000);
  const { wanted } = await publish(
    'one',
    packageOf('1.0.0', { 'sample/a.bin': same, 'sample/b.bin': same, 'sample/c.bin': same }),
  );
  const source = await serveFolder(origin);
  const fetched = await fetcher([source.url]).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
  expect(fetched.fetchedBytes).toBeLessThan(110_000);
});

test('a deployed file that was changed is not taken, and comes from the source', async () => {
  const { origin, publish, fetcher, deployer, folder, registry } = await setUp();
  const wheel = noise(50_000);
  const stick = path.join(folder, 'stick.zip');
  await writeFile(stick, packageOf('1.0.0', { 'wheels/a.whl': wheel }));
  await deployer.install(stick);
  const installed = path.join(registry.layout.deployed('sample', '1.0.0'), 'wheels', 'a.whl');
  await chmod(installed, 0o600);
  await writeFile(installed, noise(50_000));
  const { wanted } = await publish('two', packageOf('2.0.0', { 'wheels/a.whl': wheel }));
  const fetched = await fetcher([(await serveFolder(origin)).url]).fetch(wanted);
  expect(await digestOf(fetched.zip)).toBe(wanted.digest);
  expect(fetched.fetchedBytes).toBeGreaterThan(50_000);
});
