/** A registry of 2,000 packages with as many product ids: what a station asks of it, and how long it takes. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Registry } from '../../src/registry/registry.js';
import { writeRegistryFile, type RegistryContent } from '../../src/registry/registry-file.js';
import { StoreLayout } from '../../src/store/layout.js';
import { registryEntry } from '../../test/support/registry-entry.js';
import { compare, figure, percentile, type BenchCase, type BenchResult } from '../harness.js';

const PACKAGES = 2_000;
const RESOLVES = 2_000;

async function withLargeStore<T>(work: (registry: Registry, other: Registry) => Promise<T>): Promise<T> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'bench-registry-'));
  try {
    const layout = new StoreLayout(root);
    const packages = Array.from({ length: PACKAGES }, (_, n) =>
      registryEntry(`package-${n}`, '1.0.0', [`P${n}`, `Q${n}`]),
    );
    const active = packages.map(({ name, version }, n) => [
      `P${n}`,
      { pid: `P${n}`, name, version, activated_at: '2026-01-01T00:00:00.000Z', history: [] },
    ]);
    await writeRegistryFile(
      layout,
      {
        ...{ mark: 'none', modifiedNs: 0n, problems: [], state: 'missing' },
        content: {
          schema_version: 1,
          packages,
          active: Object.fromEntries(active) as RegistryContent['active'],
        },
        unknown: { packages: [], active: {} },
      },
      'none',
    );
    await using registry = await Registry.open(root, { pollMs: 60_000 });
    await using other = await Registry.open(root, { pollMs: 60_000 });
    return await work(registry, other);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Milliseconds each of so many calls took. */
async function each(count: number, call: (n: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let n = 0; n < count; n++) {
    const startedAt = performance.now();
    await call(n);
    samples.push(performance.now() - startedAt);
  }
  return samples;
}

async function resolving(): Promise<BenchResult[]> {
  return withLargeStore(async (registry) => {
    const resolve = (n: number) => registry.resolve(`P${(n * 7919) % PACKAGES}`);
    await each(200, resolve);
    const samples = await each(RESOLVES, resolve);
    const few = samples.filter((_, n) => n % 20 === 0);
    return [
      figure({ name: `resolve() of ${PACKAGES} packages, median`, unit: 'ms', samples: few, atMost: 1 }),
      // What it waits for is one look at the file: a busy machine lets both wait.
      await compare({
        name: `resolve() of ${PACKAGES} packages, 99 of 100`,
        comparator: 'a bare stat of registry.json, 99 of 100',
        ours: async () => percentile(await each(400, resolve), 0.99),
        theirs: async () => percentile(await each(400, () => stat(registry.layout.registry)), 0.99),
        ...{ rounds: 9, atMost: 3 },
      }),
      await compare({
        name: `resolve() of ${PACKAGES} packages`,
        comparator: 'reading registry.json each time',
        ours: () => registry.resolve('P1999').then(() => undefined),
        theirs: async () => {
          const raw = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as {
            packages: { name: string }[];
            active: Record<string, { name: string }>;
          };
          raw.packages.find(({ name }) => name === raw.active.P1999?.name);
        },
        ...{ rounds: 20, atMost: 0.1 },
      }),
    ];
  });
}

async function listing(): Promise<BenchResult[]> {
  return withLargeStore(async (registry) => [
    await compare({
      name: `list() of ${PACKAGES} packages`,
      comparator: 'reading and parsing registry.json',
      ours: () => registry.list().then(() => undefined),
      theirs: async () => {
        JSON.parse(await readFile(registry.layout.registry, 'utf8'));
      },
      ...{ rounds: 20, atMost: 2 },
    }),
  ]);
}

async function changing(): Promise<BenchResult[]> {
  return withLargeStore(async (registry, other) => {
    const about = { name: 'package-1', version: '1.0.0', pids: ['Q1'] };
    await other.activate(about); // writes the copies of all the others
    const changes: number[] = [];
    const readings: number[] = [];
    for (let n = 0; n < 10; n++) {
      const change = () => (n % 2 ? other.activate(about) : other.deactivate(about));
      changes.push(...(await each(1, change)));
      readings.push(...(await each(1, () => registry.resolve('P1'))));
    }
    const of = `in ${PACKAGES} packages`;
    return [
      figure({
        name: `activate() or deactivate() ${of}, with fsync`,
        unit: 'ms',
        samples: changes,
        atMost: 500,
      }),
      figure({
        name: `resolve() ${of} after a change by another`,
        unit: 'ms',
        samples: readings,
        atMost: 100,
      }),
    ];
  });
}

export const cases: BenchCase[] = [
  { name: 'registry: resolve', run: resolving },
  { name: 'registry: list', run: listing },
  { name: 'registry: change', run: changing },
];
