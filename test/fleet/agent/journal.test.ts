import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Journal } from '../../../src/fleet/agent/journal.js';
import { Memory } from '../../../src/fleet/agent/memory.js';
import { AgentDisk } from '../../../src/fleet/index.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
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

const skip = (await natsServer()) === undefined;
const title = skip ? `a log behind its stream (skipped: ${NO_SERVER})` : 'a log behind its stream';

describe.skipIf(skip)(title, () => {
  test.each([
    ['before it has a line', true],
    ['while it has a line', false],
  ])(
    'a disk that was restored from a backup: what the station writes %s comes after what is in the stream',
    async (_, isEarly) => {
      const folder = await temporaryFolder();
      const [own, backup] = [path.join(folder, 'own'), path.join(folder, 'backup')];
      const server = await TestServer.start();
      const connection = await server.connect();
      await connection.create();
      const life = async () => {
        const disk = new AgentDisk(own, 'none');
        const journal = new Journal('s1', disk, await Memory.open(disk));
        const publish = () => journal.publish(connection.events, new AbortController().signal);
        const note = (rev: number) => journal.note({ at, kind: 'desired', rev });
        return { disk, publish, note };
      };
      const first = await life();
      for (const rev of [1, 2, 3]) await first.note(rev);
      await first.publish();
      await first.disk.close();
      await cp(own, backup, { recursive: true });
      const second = await life();
      for (const rev of [4, 5]) await second.note(rev);
      await second.publish();
      await second.disk.close();
      await rm(own, { recursive: true });
      await cp(backup, own, { recursive: true });
      const restored = await life();
      if (!isEarly) await restored.publish();
      await restored.note(10);
      await restored.publish();
      await restored.note(11);
      await restored.publish();
      await restored.disk.close();
      const next = await life();
      await next.note(12);
      await next.publish();
      await next.disk.close();
      const stored = await connection.events.read({ station: 's1' });
      expect(
        stored.map(({ body }) => [(body as { offset: number }).offset, (body as { rev: number }).rev]),
      ).toEqual([1, 2, 3, 4, 5, 10, 11, 12].map((rev, index) => [index + 1, rev]));
    },
  );
});
