/**
 * One of several hosts on a store: a random mix of changes and readings from a fixed seed. What only this host touches it
 * knows exactly; of what all touch it checks that every reading makes sense. Prints what must be there in the end.
 */
import { readFile } from 'node:fs/promises';
import { RunnerError } from '../../src/errors.js';
import { Registry } from '../../src/registry/registry.js';
import type { ActiveMapping, RegistryEntry } from '../../src/registry/types.js';
import { registryEntry } from './registry-entry.js';

const [, , root = '', id = '', rounds = '0', seed = '1'] = process.argv;
let state = Number(seed) * 2654435761 + 1;
const below = (limit: number) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};
const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];

const name = `own-${id}`;
const versions = new Set<string>();
const mapped = new Map<string, string>();
const wrong: string[] = [];
let refused = 0;

/** What a file or an answer says must hold together, whoever wrote it. */
function check(where: string, packages: RegistryEntry[], active: Record<string, ActiveMapping>): void {
  for (const [pid, mapping] of Object.entries(active)) {
    const isThere = packages.some(
      (entry) => entry.name === mapping.name && entry.version === mapping.version,
    );
    if (mapping.pid !== pid || !isThere) wrong.push(`${where}: ${pid} -> ${mapping.name} ${mapping.version}`);
  }
  const mine = packages.filter((entry) => entry.name === name).map((entry) => entry.version);
  if (mine.sort().join() !== [...versions].sort().join()) {
    wrong.push(`${where}: has ${mine.join()} of ${name}, not ${[...versions].join()}`);
  }
  for (const pid of [`${id}-1`, `${id}-2`]) {
    if (active[pid]?.version !== mapped.get(pid))
      wrong.push(`${where}: ${pid} -> ${active[pid]?.version ?? '-'}`);
  }
}

await using registry = await Registry.open(root, { durability: 'none', pollMs: 20, lockTimeoutMs: 120_000 });
const operations: (() => Promise<void>)[] = [
  async () => {
    const version = `1.${below(6)}`;
    await registry.register(registryEntry(name, version, []));
    versions.add(version);
  },
  async () => {
    const version = pick([...versions].filter((known) => ![...mapped.values()].includes(known)));
    if (version === undefined) return;
    await registry.unregister(name, version);
    versions.delete(version);
  },
  async () => {
    const version = pick([...versions]);
    if (version === undefined) return;
    const pids = [`${id}-1`, `${id}-2`].slice(0, 1 + below(2));
    await registry.activate({ name, version, productIds: pids, operator: id });
    for (const pid of pids) mapped.set(pid, version);
  },
  async () => {
    const pid = pick([...mapped.keys()]);
    if (pid === undefined) return;
    await registry.deactivate({ productIds: [pid] });
    mapped.delete(pid);
  },
  async () => {
    const pid = pick([...mapped.keys()]);
    if (pid === undefined) return;
    const before = mapped.get(pid);
    try {
      mapped.set(pid, (await registry.rollback({ productId: pid })).version);
    } catch (error) {
      if (!RunnerError.is(error, 'not_found')) throw error;
      if (before !== undefined) mapped.set(pid, before);
    }
  },
  // What all touch: two product ids that everybody switches to a version of its own, always both or none.
  async () => {
    const version = [...versions][0];
    if (version === undefined) return;
    await registry.switch({
      name: 'shared',
      version: `1.${below(3)}`,
      productIds: ['S1', 'S2'],
      operator: id,
    });
  },
  async () => {
    try {
      await registry.activate({ name: 'rival', version: '1.0', productIds: ['S1', 'S2'] });
      wrong.push('a rival got product ids that another package serves');
    } catch (error) {
      if (!RunnerError.is(error, 'activation_conflict')) throw error;
      refused += 1;
    }
  },
  async () => {
    const active = await registry.active();
    const [one, two] = [active.S1, active.S2];
    if (one?.version !== two?.version || one?.activated_at !== two?.activated_at) {
      wrong.push(`half a switch: ${JSON.stringify({ one, two })}`);
    }
    for (const pid of mapped.keys()) {
      const entry = await registry.resolve(pid);
      if (entry.name !== name || entry.version !== mapped.get(pid))
        wrong.push(`resolve(${pid}) -> ${entry.version}`);
    }
  },
  async () => {
    const raw = JSON.parse(await readFile(registry.layout.registry, 'utf8')) as {
      packages: RegistryEntry[];
      active: Record<string, ActiveMapping>;
    };
    check('registry.json', raw.packages, raw.active);
    // Two calls, between which others go on: only what is ours alone must agree.
    const own = (mapping: ActiveMapping) => mapping.pid.startsWith(`${id}-`);
    const active = Object.values(await registry.active()).filter(own);
    check(
      'registry',
      await registry.list(),
      Object.fromEntries(active.map((mapping) => [mapping.pid, mapping])),
    );
  },
];
registry.on('damaged', (damage) => wrong.push(`damaged: ${damage.problems.join()}`));
for (let round = 0; round < Number(rounds); round++) await operations[below(operations.length)]?.();
process.stdout.write(JSON.stringify({ versions: [...versions], mapped: [...mapped], wrong, refused }));
