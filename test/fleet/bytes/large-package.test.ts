import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { exportPackage, PackageFetcher } from '../../../src/fleet/index.js';
import { archiveBytes, type WrittenEntry } from '../../../src/package/archive/write-archive.js';
import { Registry } from '../../../src/registry/registry.js';
import { serveFolder } from '../../support/content-source.js';
import { reportSoak } from '../../support/soak-report.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** Size of the package; 3000 is that of one with a deep-learning framework (`npm run soak:bytes`). */
const megabytes = Number(process.env.FETCH_MEGABYTES ?? 20);
const WHEELS = 100;

async function writePackage(file: string, version: string, folder: string, wheels: string[]): Promise<void> {
  const manifest = path.join(folder, `${version}.json`);
  const content = JSON.stringify({
    name: 'large',
    version,
    entry_point: 'algorithm.main:Algorithm',
    supported_pids: ['A01'],
  });
  await writeFile(manifest, content);
  const isExecutable = false;
  const entries: WrittenEntry[] = [
    { name: 'large/manifest.json', file: manifest, sizeBytes: content.length, isExecutable },
    ...wheels.map((wheel, i) => ({
      name: `wheels/w${i}.whl`,
      file: wheel,
      sizeBytes: (megabytes * 1e6) / WHEELS,
      isExecutable,
    })),
  ];
  const out = await open(file, 'wx');
  try {
    for await (const chunk of archiveBytes(entries, { compress: false })) await out.writeFile(chunk);
  } finally {
    await out.close();
  }
}

async function writeWheel(file: string): Promise<string> {
  const out = await open(file, 'wx');
  try {
    for (let left = (megabytes * 1e6) / WHEELS; left > 0; left -= 1e6)
      await out.writeFile(randomBytes(Math.min(left, 1e6)));
  } finally {
    await out.close();
  }
  return file;
}

test(`a change of one wheel in a package of ${megabytes} MB moves 1 % of it, in memory that does not grow with it`, async () => {
  const folder = await temporaryFolder();
  const registry = await Registry.open(path.join(folder, 'station'), { durability: 'none' });
  onTestFinished(() => registry.close());
  const { zips } = registry.layout;
  await mkdir(zips, { recursive: true });
  const wheels: string[] = [];
  for (let i = 0; i < WHEELS; i++) wheels.push(await writeWheel(path.join(folder, `w${i}`)));
  await writePackage(path.join(zips, 'first.zip'), '1.0.0', folder, wheels);
  wheels[42] = await writeWheel(path.join(folder, 'changed'));
  const second = path.join(folder, 'second.zip');
  await writePackage(second, '1.1.0', folder, wheels);
  for (const wheel of [...wheels, path.join(folder, 'w42')]) await rm(wheel, { force: true });
  const { size_bytes: size, ...wanted } = await exportPackage(second, path.join(folder, 'origin'));
  await rm(second);
  const source = await serveFolder(path.join(folder, 'origin'));
  let most = 0;
  const before = process.memoryUsage.rss();
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() - before)), 20);
  onTestFinished(() => {
    clearInterval(timer);
  });
  const startedAt = performance.now();
  const fetched = await new PackageFetcher({ registry, sources: [source.url] }).fetch(wanted);
  const seconds = (performance.now() - startedAt) / 1_000;
  expect(source.sentBytes()).toBe(fetched.fetchedBytes);
  expect(fetched.fetchedBytes / size).toBeLessThan(0.012);
  expect(fetched.fetchedBytes + fetched.reusedBytes).toBeGreaterThanOrEqual(size);
  // Buffers that the collector has not met yet, whatever the size of the package.
  expect(most).toBeLessThan(400e6);
  await fetched.release();
  reportSoak('FETCH_MEGABYTES', 'fetch of a changed wheel', {
    megabytes,
    moved: `${((100 * fetched.fetchedBytes) / size).toFixed(2)} %`,
    seconds: seconds.toFixed(1),
    memory: `${Math.round(most / 1e6)} MB more`,
  });
}, 600_000);
