import { expect, test } from 'vitest';
import { Journal } from '../../../src/fleet/agent/journal.js';
import { Memory } from '../../../src/fleet/agent/memory.js';
import { AgentDisk } from '../../../src/fleet/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const at = '2026-01-01T00:00:00.000Z';

test('of more events than can wait for a slow disk the first and the newest are written down, and the oldest of the others go', async () => {
  const disk = new AgentDisk(await temporaryFolder(), 'none');
  const journal = new Journal('s1', disk, await Memory.open(disk));
  const noted = Array.from({ length: 1_003 }, (_, rev) => journal.note({ at, kind: 'desired', rev }));
  await Promise.all(noted);
  const events = await disk.eventsAfter(0, 2_000);
  const revs = events.map(({ event }) => (event as { rev: number }).rev);
  expect(revs).toEqual([0, ...Array.from({ length: 999 }, (_, index) => index + 4)]);
  await disk.close();
});
