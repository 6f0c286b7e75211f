import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import { startScript } from '../support/child-script.js';
import { registryEntry } from '../support/registry-entry.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PROCESSES = 8;
/** Operations of each process; `npm run soak:store` makes it 200. */
const OPERATIONS = Number(process.env.STORE_SOAK ?? 20);

interface Outcome {
  versions: string[];
  mapped: [pid: string, version: string][];
  wrong: string[];
  refused: number;
}

test(
  `${PROCESSES} processes with ${OPERATIONS} changes and readings each lose no update and read nothing torn`,
  { timeout: 60_000 + OPERATIONS * 2_000 },
  async () => {
    const root = await temporaryFolder();
    await using registry = await Registry.open(root, { durability: 'none' });
    for (const version of ['1.0', '1.1', '1.2'])
      await registry.register(registryEntry('shared', version, []));
    await registry.register(registryEntry('rival', '1.0', []));
    await registry.activate({ name: 'shared', version: '1.0', productIds: ['S1', 'S2'] });

    const ids = Array.from({ length: PROCESSES }, (_, index) => `h${index}`);
    const ends = await Promise.all(
      ids.map(
        async (id, index) =>
          (await startScript('registry-child.ts', [root, id, String(OPERATIONS), String(index + 1)])).end,
      ),
    );
    const packages = await registry.list();
    const active = await registry.active();
    for (const [index, { exitCode, stdout, stderr }] of ends.entries()) {
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      const outcome = JSON.parse(stdout) as Outcome;
      expect(outcome.wrong).toEqual([]);
      const id = ids[index] ?? '';
      const mine = packages.filter(({ name }) => name === `own-${id}`).map(({ version }) => version);
      expect(mine.sort()).toEqual(outcome.versions.sort());
      const bound = Object.values(active).filter(({ pid }) => pid.startsWith(`${id}-`));
      expect(Object.fromEntries(bound.map(({ pid, version }) => [pid, version]))).toEqual(
        Object.fromEntries(outcome.mapped),
      );
    }
    expect(active.S1?.version).toBe(active.S2?.version);

    const copies = (await readdir(registry.layout.activeRoot)).map(async (file) => {
      const text = await readFile(path.join(registry.layout.activeRoot, file), 'utf8');
      return JSON.parse(text) as { pid: string };
    });
    const published = Object.fromEntries((await Promise.all(copies)).map((copy) => [copy.pid, copy]));
    expect(published).toEqual(active);
    expect((await readdir(root)).sort()).toEqual(['active', 'algorithms', 'logs', 'registry.json']);

    const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
    for (const line of log.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('outcome');
  },
);
