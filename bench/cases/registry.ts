/** A registry of 2,000 packages with as many product ids: what a station asks of it, and how long it takes. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Registry } from '../../src/index.js';
import { registryEntry } from '../../test/support/registry-entry.js';
import type { BenchCase, BenchContext } from '../harness/case.js';
import { each, median, percentile, timed } from '../harness/statistics.js';

const PACKAGES = 2_000;
const PLAIN = 'stat or read of registry.json';

async function largeStore(context: BenchContext): Promise<{ registry: Registry; other: Registry }> {
  const { Registry, StoreLayout } = context.library.main;
  const root = path.join(context.folder, 'store');
  const file = new StoreLayout(root).registry;
  const packages = Array.from({ length: PACKAGES }, (_, n) =>
    registryEntry(`package-${n}`, '1.0.0', [`P${n}`, `Q${n}`]),
  );
  const mapping = { activated_at: '2026-01-01T00:00:00.000Z', history: [] };
  const active = packages.map(({ name, version }, n) => [
    `P${n}`,
    { pid: `P${n}`, name, version, ...mapping },
  ]);
  await mkdir(path.dirname(file), { recursive: true });
  const content = { schema_version: 1, packages, active: Object.fromEntries(active) as unknown };
  await writeFile(file, JSON.stringify(content));
  const open = async () => {
    const registry = await Registry.open(root, { pollMs: 60_000 });
    context.onClose(() => registry.close());
    return registry;
  };
  return { registry: await open(), other: await open() };
}

const resolving: BenchCase = {
  name: 'registry/resolve',
  measures: `resolve() of ${PACKAGES} packages; the 99th of 100 against a bare stat, the median against reading the file`,
  figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' } },
  bars: [
    { figure: 'p50', contestant: 'ours', atMost: 1 },
    { figure: 'p50', contestant: 'ours', over: PLAIN, atMost: 0.1 },
    { figure: 'p99', contestant: 'ours', over: PLAIN, atMost: 3 },
  ],
  rounds: 9,
  async open(context) {
    const { registry } = await largeStore(context);
    const file = registry.layout.registry;
    return {
      ours: () => ({
        round: async () => {
          const samples = await each(400, (n) => registry.resolve(`P${(n * 7919) % PACKAGES}`));
          return { p50: median(samples), p99: percentile(samples, 0.99) };
        },
      }),
      [PLAIN]: () => ({
        round: async () => {
          const parse = async () => {
            const raw = JSON.parse(await readFile(file, 'utf8')) as {
              packages: { name: string }[];
              active: Record<string, { name: string }>;
            };
            raw.packages.find(({ name }) => name === raw.active.P1999?.name);
          };
          return {
            p50: median(await each(5, parse)),
            p99: percentile(await each(400, () => stat(file)), 0.99),
          };
        },
      }),
    };
  },
};

const listing: BenchCase = {
  name: 'registry/list',
  measures: `list() of ${PACKAGES} packages, and reading and parsing registry.json`,
  figures: { time: { unit: 'ms' } },
  bars: [{ figure: 'time', contestant: 'ours', over: 'read and parse', atMost: 2 }],
  rounds: 20,
  async open(context) {
    const { registry } = await largeStore(context);
    return {
      ours: () => ({ round: async () => ({ time: await timed(() => registry.list()) }) }),
      'read and parse': () => ({
        round: async () => ({
          time: await timed(
            async () => JSON.parse(await readFile(registry.layout.registry, 'utf8')) as unknown,
          ),
        }),
      }),
    };
  },
};

const changing: BenchCase = {
  name: 'registry/change',
  measures: `activate() or deactivate() in ${PACKAGES} packages with fsync, and resolve() after a change by another registry`,
  figures: { change: { unit: 'ms' }, resolve: { unit: 'ms' } },
  bars: [
    { figure: 'change', contestant: 'ours', atMost: 500 },
    { figure: 'resolve', contestant: 'ours', atMost: 100 },
  ],
  rounds: 10,
  async open(context) {
    const { registry, other } = await largeStore(context);
    const pids = ['Q1'];
    const about = { name: 'package-1', version: '1.0.0', pids };
    return {
      ours: async () => {
        await other.activate(about); // writes the copies of all the others
        let isActive = true;
        return {
          round: async () => {
            const change = await timed(() => (isActive ? other.deactivate({ pids }) : other.activate(about)));
            isActive = !isActive;
            return { change, resolve: await timed(() => registry.resolve('P1')) };
          },
        };
      },
    };
  },
};

export const cases: BenchCase[] = [resolving, listing, changing];
