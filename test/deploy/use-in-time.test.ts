import path from 'node:path';
import { expect, test } from 'vitest';
import { readMarker } from '../../src/deploy/seal/seal.js';
import { Registry } from '../../src/registry/registry.js';
import type { FileStepPlace } from '../../src/testing/index.js';
import { startChild, stopped } from '../support/kill-process.js';
import { describeStore, storeFolder } from '../support/kill-scenarios.js';
import { prepared } from '../support/prepared-store.js';

/** The only moments in which a version that is listed is on its way: another host is stopped in them. */
const MOMENTS: [what: string, scenario: string, at: FileStepPlace][] = [
  [
    'stepped aside for its replacement',
    'force-install',
    { call: 'rename', target: path.join('deployed', 'sample', '1.0.0') },
  ],
  ['made way for a replacement not yet listed', 'force-install', { call: 'rename', target: 'registry.json' }],
  ['was found unused by an uninstall', 'uninstall', { call: 'rename', target: 'registry.json' }],
];

test.skipIf(process.platform !== 'linux').each(MOMENTS)(
  'a use of a version that %s waits for the change, and then has what is there or is refused',
  async (_, scenario, at) => {
    const root = await prepared(scenario);
    const child = await startChild(scenario, root, { mode: 'stop', at });
    await stopped(child.process);
    const open = (lockTimeoutMs: number) =>
      Registry.open(storeFolder(root), { durability: 'none', pollMs: 60_000, lockTimeoutMs });
    await using hasty = await open(100);
    await expect(hasty.use('sample', '1.0.0')).rejects.toMatchObject({
      ...{ code: 'lock_timeout', details: { holder: { pid: child.process.pid } } },
    });
    expect(await hasty.users('sample', '1.0.0')).toEqual([]);
    await using patient = await open(30_000);
    const using = patient.use('sample', '1.0.0');
    child.process.kill('SIGCONT');
    if (scenario === 'uninstall') {
      await expect(using).rejects.toMatchObject({ code: 'not_found' });
    } else {
      await using _use = await using;
      const entry = await patient.get('sample', '1.0.0');
      const marker = await readMarker(patient.layout.deployed('sample', '1.0.0'));
      expect(marker?.deployment_id).toBe(entry?.deployment_id);
      expect(await describeStore(patient)).toEqual(['1.0.0 second']);
    }
    expect((await child.end).report?.code).toBeUndefined();
  },
);
