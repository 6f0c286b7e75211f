import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { exportPackage, PackageFetcher } from '../../../src/fleet/index.js';
import { Registry } from '../../../src/registry/registry.js';
import { openArchive, packageDigest } from '../../../src/signing/index.js';
import type { FileStepPlan } from '../../../src/testing/index.js';
import { startScript } from '../../support/child-script.js';
import { noise, packageOf, serveFolder } from '../../support/content-source.js';
import { KILLED_BY_ID } from '../../support/platform.js';
import { reportSoak } from '../../support/soak-report.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** How many cuts are tried, one of each way; `all` tries every step in every way. */
const given = process.env.KILL_MATRIX ?? '4';
const WAYS: ((at: number) => FileStepPlan)[] = [
  (at) => ({ mode: 'kill', at }),
  (at) => ({ mode: 'fail', at, code: 'ENOSPC' }),
  (at) => ({ mode: 'kill', at }),
  (at) => ({ mode: 'fail', at, code: 'EIO' }),
];
let tried = 0;
let steps = 0;

/** A station that has half of what it is to fetch. */
async function setUp() {
  const folder = await temporaryFolder();
  const same = { 'wheels/same.whl': noise(60_000), 'sample/twin.bin': noise(5_000) };
  const store = path.join(folder, 'store');
  const zips = path.join(store, 'algorithms', 'zips');
  await mkdir(zips, { recursive: true });
  await writeFile(path.join(zips, 'first.zip'), packageOf('1.0.0', same));
  const file = path.join(folder, 'second.zip');
  const zip = packageOf('2.0.0', {
    ...same,
    'wheels/new.whl': noise(9_000_000),
    'sample/more.bin': noise(70_000),
    'LEFT.txt': 'out',
  });
  await writeFile(file, zip);
  const { digest } = await exportPackage(file, path.join(folder, 'origin'));
  const source = await serveFolder(path.join(folder, 'origin'));
  const run = async (root: string, plan: FileStepPlan) => {
    const { end } = await startScript('fetch-child.ts', [root, source.url, digest, JSON.stringify(plan)]);
    const { stdout, stderr, exitCode, signal } = await end;
    const report =
      stdout === '' ? undefined : (JSON.parse(stdout) as { steps: number; code?: string; message?: string });
    return { report, stderr, end: [exitCode, signal] };
  };
  return { folder, store, digest, source, run };
}

/** Zips and partial packages that are left. A folder that was made a moment before a kill goes after an hour. */
async function left(root: string): Promise<string[]> {
  const content = path.join(root, 'algorithms', '.content');
  const inside = ['work', 'partial'].map((part) => readdir(path.join(content, part), { recursive: true }));
  return (await Promise.all(inside)).flat().filter((name) => /zip|journal|manifest/.test(name));
}

test(
  'a fetch that is killed, out of space or fails at any step of the file system goes on, and its zip is right',
  async () => {
    const { folder, store, digest, source, run } = await setUp();
    const place = async (label: string) => {
      const root = path.join(folder, label);
      await cp(store, root, { recursive: true, preserveTimestamps: true });
      return root;
    };
    const counted = await run(await place('count'), { mode: 'count' });
    expect(counted, counted.stderr).toMatchObject({
      end: [0, null],
      report: { steps: expect.any(Number) as number },
    });
    expect(counted.report?.code, counted.report?.message).toBeUndefined();
    steps = counted.report?.steps ?? 0;
    expect(steps).toBeGreaterThan(20);
    const all = Array.from({ length: steps }, (_, index) => index + 1);
    const plans =
      given === 'all'
        ? all.flatMap((at) => WAYS.map((way) => way(at)))
        : Array.from({ length: Number(given) }, (_, index) =>
            WAYS[index % WAYS.length]?.(Math.ceil(((index + 1) * steps) / (Number(given) + 1))),
          );
    for (const [index, plan] of plans.entries()) {
      if (!plan) continue;
      const where = JSON.stringify(plan);
      const root = await place(`cut-${index}`);
      const { report, end, stderr } = await run(root, plan);
      if (plan.mode === 'kill') expect(end, `${where} ${stderr}`).toEqual(KILLED_BY_ID);
      else if (report?.code !== undefined)
        expect(report.code, `${where} ${report.message}`).toBe('store_failed');
      tried++;
      const registry = await Registry.open(root, { durability: 'none' });
      try {
        const fetched = await new PackageFetcher({ registry, sources: [source.url] }).fetch({
          name: 'sample',
          version: '2.0.0',
          digest,
        });
        {
          await using archive = await openArchive(fetched.zip);
          expect(await packageDigest(archive), where).toBe(digest);
        }
        await fetched.release();
        expect(await left(root), where).toEqual([]);
      } finally {
        await registry.close();
      }
    }
  },
  given === 'all' ? 3_600_000 : 120_000,
);

afterAll(() => {
  reportSoak('KILL_MATRIX', 'kill matrix, fetch of a package', { steps, cuts: tried });
});

test('two processes that fetch one package at once both end well, and its bytes come once', async () => {
  const { store, source, run } = await setUp();
  const ends = await Promise.all([run(store, { mode: 'count' }), run(store, { mode: 'count' })]);
  for (const { report, stderr } of ends)
    expect(report?.code, `${report?.message ?? ''}${stderr}`).toBeUndefined();
  expect(source.asked.filter((one) => one.startsWith('/blobs/')).length).toBeLessThan(10);
  expect(await left(store)).toEqual([]);
});
