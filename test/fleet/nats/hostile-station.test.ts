import type { NatsConnection } from '@nats-io/transport-node';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Journal } from '../../../src/fleet/agent/journal.js';
import { Memory } from '../../../src/fleet/agent/memory.js';
import { AgentDisk } from '../../../src/fleet/index.js';
import { loadNats } from '../../../src/fleet/nats/peers.js';
import { fleetPermissions } from '../../../src/fleet/nats/permissions.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const skip = (await natsServer()) === undefined;
const title = skip
  ? `a station that means harm, on a real server (skipped: ${NO_SERVER})`
  : 'a station that means harm, on a real server';
const { transport } = loadNats('test');

/** A plant of two stations; A has a raw connection: it need not use the library. */
async function plant() {
  const folder = await temporaryFolder();
  const users = await Promise.all(
    (['A', 'B', 'root'] as const).map(async (name) => {
      const pair = transport.nkeys.createUser();
      await writeFile(path.join(folder, name), pair.getSeed());
      const role = name === 'root' ? ('administrator' as const) : ('station' as const);
      return { role, name, key: pair.getPublicKey(), seed: pair.getSeed() };
    }),
  );
  const listed = users.map(({ role, name, key }) => ({ role, name, key }));
  const server = await TestServer.start(fleetPermissions({ plant: 'Werk 1', users: listed }));
  const connect = (name: string) =>
    server.connect({ name, seedFile: path.join(folder, name), timeoutMs: 2_000 });
  const root = await connect('root');
  await root.create({ eventBytes: 8 * 2 ** 20 });
  const raw: NatsConnection = await transport.connect({
    servers: server.url,
    authenticator: transport.nkeyAuthenticator(users[0]?.seed ?? new Uint8Array()),
    reconnect: false,
    inboxPrefix: '_INBOX_A',
  });
  onTestFinished(() => raw.close());
  return { root, b: await connect('B'), raw };
}

describe.skipIf(skip)(title, () => {
  test('its report with a word to roll up takes no other key away', async () => {
    const { root, b, raw } = await plant();
    await root.values.put('desired.B', 'for B');
    await b.values.put('reported.B', 'of B');
    for (const scope of ['all', 'sub']) {
      const headers = transport.headers();
      headers.set('Nats-Rollup', scope);
      const answer = await raw.request('$KV.fleet.reported.A', '"x"', { headers, timeout: 2_000 });
      expect(answer.json()).toMatchObject({ error: { description: 'rollup not permitted' } });
    }
    expect((await root.values.get('desired.B'))?.value).toBe('for B');
    expect((await root.values.get('reported.B'))?.value).toBe('of B');
  });

  test('its events under the identifiers of another station keep none of that one out', async () => {
    const { b, raw } = await plant();
    for (const offset of [1, 2]) {
      const headers = transport.headers();
      headers.set('Nats-Msg-Id', `B/${offset}`);
      await raw.request('events.A', '"x"', { headers, timeout: 2_000 });
    }
    expect(await b.events.publish('B', 'one', { id: 'B/1', after: 0 })).toEqual({ isDuplicate: false });
    expect(await b.events.publish('B', 'two', { id: 'B/2', after: 1 })).toEqual({ isDuplicate: false });
    expect(await b.events.lastOffset('B')).toBe(2);
  });

  test('a flood of its events leaves those of others in the stream', async () => {
    const { root, b, raw } = await plant();
    await b.events.publish('B', 'of B', { id: 'B/1', after: 0 });
    for (let part = 0; part < 20; part++) {
      await Promise.allSettled(
        Array.from({ length: 20 }, () => raw.request('events.A', 'x'.repeat(60_000), { timeout: 5_000 })),
      );
    }
    expect((await root.events.read({ station: 'B' })).map(({ body }) => body)).toEqual(['of B']);
  });

  test('an event that is larger than the stream takes is shortened, and keeps up none that follow', async () => {
    const { root, b } = await plant();
    const disk = new AgentDisk(await temporaryFolder(), 'none');
    onTestFinished(() => disk.close());
    const journal = new Journal('B', disk, await Memory.open(disk));
    const at = '2026-01-01T00:00:00.000Z';
    const products = Array.from({ length: 9_000 }, (_, index) => `产品 ${index}`);
    await journal.note({ at, kind: 'switched', version: 'a@1', products });
    await journal.note({
      at,
      kind: 'bar',
      version: 'a@1',
      reason: '裂'.repeat(8_000),
      by: 'x'.repeat(8_000),
    });
    await journal.note({ at, kind: 'uninstalled', version: 'a@1' });
    await journal.publish(b.events, new AbortController().signal);
    const bodies = (await root.events.read({ station: 'B' })).map(({ body }) => body);
    expect(bodies).toEqual([
      { at, kind: 'switched', version: 'a@1', offset: 1, shortened: ['products'] },
      {
        ...{ at, kind: 'bar', version: 'a@1', offset: 2, shortened: ['reason'] },
        ...{ reason: '裂'.repeat(1_000), by: 'x'.repeat(8_000) },
      },
      { at, kind: 'uninstalled', version: 'a@1', offset: 3 },
    ]);
  });
});
