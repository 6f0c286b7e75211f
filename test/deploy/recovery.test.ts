import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RecoveryReport } from '../../src/deploy/types.js';
import { deployStore } from '../support/deploy-store.js';
import { runChild, startChild, stopped } from '../support/kill-process.js';
import { describeStore, OLD_STANDS_ASIDE, openStore, storeFolder } from '../support/kill-scenarios.js';
import { IS_WINDOWS } from '../support/platform.js';
import { prepared } from '../support/prepared-store.js';

/** A step in the middle of the operation: the version is being built in the staging folder. */
const MIDDLE = 36;

describe('recover', () => {
  test('of a store in which nothing was cut off reports nothing and changes nothing', async () => {
    const { deployer, zip, content } = await deployStore();
    await deployer.install(await zip());
    const before = await content();
    expect(await deployer.recover()).toMatchObject({ recovered: [], busy: [] });
    expect(await content()).toEqual(before);
  });

  test('runs before the first operation of a deployer, once, and is told by an event', async () => {
    const root = await prepared('install');
    await runChild('install', root, { mode: 'kill', at: MIDDLE });
    expect(await readdir(path.join(storeFolder(root), 'algorithms'))).toContain('.staging');
    await using store = await openStore(root);
    const reports: RecoveryReport[] = [];
    store.deployer.on('recovered', (report) => reports.push(report));
    await store.deployer.scan();
    await store.deployer.scan();
    expect(reports).toMatchObject([
      {
        recovered: [{ operation: 'install', name: 'sample', version: '1.0.0', outcome: 'undone' }],
        busy: [],
      },
    ]);
    expect(await readdir(path.join(storeFolder(root), 'algorithms'))).not.toContain('.staging');
  });

  test.skipIf(IS_WINDOWS)('leaves the work of a live process alone, which then ends well', async () => {
    const root = await prepared('install');
    const child = await startChild('install', root, { mode: 'stop', at: MIDDLE });
    await stopped(child.process);
    await using store = await openStore(root);
    const report = await store.deployer.recover();
    expect(report).toMatchObject({
      recovered: [],
      busy: [{ operation: 'install', name: 'sample', version: '1.0.0' }],
    });
    child.process.kill('SIGCONT');
    expect(await child.end).toMatchObject({ exitCode: 0 });
    expect((await child.end).report?.code).toBeUndefined();
    expect(await describeStore(store.registry)).toEqual(['1.0.0 first']);
    expect(await store.deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
  });

  test('by several hosts at once is done by one of them', async () => {
    const root = await prepared('force-install');
    await runChild('force-install', root, { mode: 'kill', at: MIDDLE });
    await using first = await openStore(root);
    await using second = await openStore(root);
    await using third = await openStore(root);
    const reports = await Promise.all([first, second, third].map(({ deployer }) => deployer.recover()));
    expect(reports.flatMap(({ recovered }) => recovered)).toHaveLength(1);
    expect(await describeStore(first.registry)).toEqual(['1.0.0 first']);
  });

  test('is not needed for an install that takes over the lock of a dead host: it puts its work away first', async () => {
    const root = await prepared('force-install');
    await using store = await openStore(root);
    await store.deployer.scan(); // its own first recovery is over
    await runChild('force-install', root, { mode: 'kill', at: MIDDLE });
    await store.deployer.install(path.join(root, 'second.zip'), { force: true });
    expect(await describeStore(store.registry)).toEqual(['1.0.0 second']);
    expect(await readdir(store.registry.layout.algorithms)).not.toContain('.staging');
  });

  test.each([
    ['cut off', '{"id": "x", "operat'],
    ['empty', ''],
    ['of another shape', '[]'],
    ['that leads out of the store', '{"id": "x", "operation": "install", "name": "../..", "version": "x"}'],
  ])('with a journal %s puts a version back that had stepped aside', async (_, journal) => {
    const root = await prepared('force-install');
    await runChild('force-install', root, OLD_STANDS_ASIDE);
    await damageJournal(root, journal);
    await using store = await openStore(root);
    expect((await store.deployer.recover()).recovered).toMatchObject([
      { version: '1.0.0', outcome: 'undone' },
    ]);
    expect(await describeStore(store.registry)).toEqual(['1.0.0 first']);
    expect(await store.deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    expect(await readdir(store.registry.layout.algorithms)).not.toContain('.staging');
  });

  test.each([
    ['published but not registered', 'first', 'force-install', { call: 'rename', target: 'registry.json' }],
    ['registered', 'second', 'force-install', { call: 'unlink', target: `${path.sep}.lock.owner` }],
    ['off the list', undefined, 'uninstall', { call: 'rename', target: `${path.sep}old` }],
  ])(
    'with a damaged journal of a version that was %s agrees with the registry',
    async (_, label, name, at) => {
      const root = await prepared(name);
      await runChild(name, root, { mode: 'kill', at });
      await damageJournal(root, '');
      await using store = await openStore(root);
      await store.deployer.recover();
      expect(await describeStore(store.registry)).toEqual(label === undefined ? [] : [`1.0.0 ${label}`]);
      expect(await readdir(store.registry.layout.algorithms)).not.toContain('.staging');
      const { reason } = (await store.deployer.scan()).find(({ state }) => state === 'invalid') ?? {};
      if (label !== undefined) expect(reason).toBeUndefined();
    },
  );

  test('leaves what another machine began, unless it has been silent for a day', async () => {
    const { deployer, registry } = await deployStore();
    const folder = path.join(registry.layout.staging, '4711.123.00000000.00000000');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'upload.zip'), 'half');
    expect(await deployer.recover()).toMatchObject({ recovered: [], busy: [{ operation: 'unknown' }] });
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(folder, twoDaysAgo, twoDaysAgo);
    expect(await deployer.recover()).toMatchObject({ recovered: [{ outcome: 'undone' }], busy: [] });
    expect(await readdir(registry.layout.algorithms)).not.toContain('.staging');
  });
});

/** Spoils the journal of the one transaction there is. */
async function damageJournal(root: string, text: string): Promise<void> {
  const staging = path.join(storeFolder(root), 'algorithms', '.staging');
  const [folder = ''] = await readdir(staging);
  await writeFile(path.join(staging, folder, 'journal.json'), text);
}
