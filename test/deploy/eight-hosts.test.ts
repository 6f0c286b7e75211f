import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { startScript } from '../support/child-script.js';
import { deployStore } from '../support/deploy-store.js';
import { reportSoak } from '../support/soak-report.js';

const HOSTS = 8;
/** Operations of each host; `npm run soak:hosts` makes it 150. */
const OPERATIONS = Number(process.env.HOSTS_SOAK ?? 8);

/** Lines that show two hosts building one version at once. */
function doubleHolders(journal: string): string[] {
  const inside = new Map<string, string>();
  return journal
    .trim()
    .split('\n')
    .filter((line) => {
      const [what, version = '', id = ''] = line.split(' ');
      const holder = inside.get(version);
      if (what === 'leave') inside.delete(version);
      else inside.set(version, id);
      return what === 'enter' ? holder !== undefined : holder !== id;
    });
}

test('doubleHolders tells two hosts in one version from two in two', () => {
  expect(doubleHolders('enter 1 a\nenter 2 b\nleave 1 a\nenter 1 b\nleave 1 b\nleave 2 b\n')).toEqual([]);
  expect(doubleHolders('enter 1 a\nenter 1 b\nleave 1 a\n')).toEqual(['enter 1 b', 'leave 1 a']);
});

test(
  `${HOSTS} hosts with ${OPERATIONS} installs, replacements, uninstalls, prunes, switches and uses each leave a whole store`,
  { timeout: 60_000 + OPERATIONS * 20_000 },
  async () => {
    const { folder, registry, deployer } = await deployStore();
    const packages = path.join(folder, 'packages');
    await mkdir(packages);
    for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0']) {
      const bytes = await buildPackage({ version, sdk: null, productIds: ['A01', 'A02'] });
      await writeFile(path.join(packages, `${version}.zip`), bytes);
    }
    const journal = path.join(folder, 'journal');
    await writeFile(journal, '');
    for (const version of ['1.0.0', '1.1.0']) await deployer.install(path.join(packages, `${version}.zip`));
    const { layout } = registry;
    const ends = await Promise.all(
      Array.from({ length: HOSTS }, async (_, n) => {
        const args = [layout.root, packages, journal, `h${n}`, String(OPERATIONS), String(n + 1)];
        return (await startScript('deploy-child.ts', args)).end;
      }),
    );
    const total: Record<string, number> = {};
    for (const { exitCode, stdout, stderr } of ends) {
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      const { wrong, done } = JSON.parse(stdout) as { wrong: string[]; done: Record<string, number> };
      expect(wrong).toEqual([]);
      for (const [name, count] of Object.entries(done)) total[name] = (total[name] ?? 0) + count;
    }
    reportSoak('HOSTS_SOAK', 'hosts', total);
    expect(doubleHolders(await readFile(journal, 'utf8'))).toEqual([]);

    expect(await deployer.recover()).toMatchObject({ recovered: [], busy: [] });
    const entries = await registry.list();
    for (const { name, version } of entries) {
      expect(await deployer.verify(name, version)).toMatchObject({ intact: true });
    }
    const deployed = await readdir(path.join(layout.deployedRoot, 'sample')).catch(() => []);
    expect(deployed.sort()).toEqual(entries.map(({ version }) => version).sort());
    expect((await readdir(layout.algorithms)).sort()).toEqual(['.reserve', 'deployed', 'zips']);
    expect(await readdir(layout.root)).toHaveLength(4); // active, algorithms, logs, registry.json
  },
);
