import type { NatsConnection } from '@nats-io/transport-node';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { loadNats } from '../../../src/fleet/nats/peers.js';
import { type FleetRole, fleetPermissions } from '../../../src/fleet/nats/permissions.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const skip = (await natsServer()) === undefined;
const title = skip
  ? `permissions of a fleet on a real server (skipped: ${NO_SERVER})`
  : 'permissions of a fleet on a real server';
const { transport, jetstream } = loadNats('test');

/** Station A is `装配 A` of the group `line 1`; B is `B.2` of another. */
const A = '=E8=A3=85=E9=85=8D=20A';
const B = 'B=2E2';
const GROUP = 'line=201';
const USERS = {
  a: { role: 'station', name: '装配 A', group: 'line 1' },
  b: { role: 'station', name: 'B.2', group: 'line 2' },
  controller: { role: 'controller', name: 'control' },
  source: { role: 'source', name: 'packages' },
  inspector: { role: 'inspector', name: 'desk' },
  administrator: { role: 'administrator', name: 'root' },
} satisfies Record<string, { role: FleetRole; name: string; group?: string }>;
type Who = keyof typeof USERS;

const get = (key: string) => `$JS.API.DIRECT.GET.KV_fleet.$KV.fleet.${key}`;
const consumer = (key: string) => `$JS.API.CONSUMER.CREATE.KV_fleet.w.$KV.fleet.${key}`;

/** What is tried, by whom, and whether it is to be let through. */
const ATTEMPTS: [Who, 'publish' | 'subscribe', string, boolean][] = [
  // A station and what is its own.
  ['a', 'publish', `$KV.fleet.reported.${A}`, true],
  ['a', 'publish', `events.${A}`, true],
  ['a', 'publish', get(`desired.${A}`), true],
  ['a', 'publish', get(`reported.${A}`), true],
  ['a', 'publish', get(`group.${GROUP}`), true],
  ['a', 'publish', get('bar.board-check.1=2E2=2E0'), true],
  ['a', 'publish', `$JS.API.DIRECT.GET.events.events.${A}`, true],
  ['a', 'subscribe', `kv.fleet.desired.${A}`, true],
  ['a', 'subscribe', `kv.fleet.group.${GROUP}`, true],
  ['a', 'subscribe', 'kv.fleet.bar.>', true],
  ['a', 'subscribe', `_INBOX_${A}.>`, true],
  ['a', 'subscribe', 'inspect.Werk=201.* inspect', true],
  ['a', 'subscribe', 'inspect.Werk=201.board inspect', true],
  ['a', 'subscribe', '$SRV.PING', true],
  // What it must not write.
  ['a', 'publish', `$KV.fleet.reported.${B}`, false],
  ['a', 'publish', `$KV.fleet.desired.${A}`, false],
  ['a', 'publish', `$KV.fleet.desired.${B}`, false],
  ['a', 'publish', `$KV.fleet.group.${GROUP}`, false],
  ['a', 'publish', '$KV.fleet.bar.board-check.1=2E2=2E0', false],
  ['a', 'publish', '$KV.fleet.lease.controller', false],
  ['a', 'publish', '$KV.fleet.rollout.r1', false],
  ['a', 'publish', `events.${B}`, false],
  ['a', 'publish', `kv.fleet.desired.${B}`, false],
  ['a', 'publish', `kv.fleet.desired.${A}`, false],
  ['a', 'publish', `_INBOX_${B}.x`, false],
  ['a', 'publish', 'inspect.Werk=201.board', false],
  // What it must not read.
  ['a', 'publish', get(`desired.${B}`), false],
  ['a', 'publish', get(`reported.${B}`), false],
  ['a', 'publish', get('group.line=202'), false],
  ['a', 'publish', get('lease.controller'), false],
  ['a', 'publish', '$JS.API.DIRECT.GET.KV_fleet', false],
  ['a', 'publish', '$JS.API.STREAM.MSG.GET.KV_fleet', false],
  ['a', 'publish', `$JS.API.DIRECT.GET.events.events.${B}`, false],
  ['a', 'publish', '$JS.API.DIRECT.GET.events', false],
  ['a', 'subscribe', `kv.fleet.desired.${B}`, false],
  ['a', 'subscribe', 'kv.fleet.>', false],
  ['a', 'subscribe', 'kv.fleet.reported.*', false],
  ['a', 'subscribe', `_INBOX_${B}.>`, false],
  ['a', 'subscribe', '_INBOX.>', false],
  ['a', 'subscribe', '$KV.fleet.>', false],
  ['a', 'subscribe', 'events.>', false],
  ['a', 'subscribe', '>', false],
  ['a', 'subscribe', 'inspect.Werk=201.board', false],
  ['a', 'subscribe', 'inspect.Werk=201.board other', false],
  ['a', 'subscribe', 'inspect.Werk=202.board inspect', false],
  // Consumers, streams and buckets.
  ['a', 'publish', consumer(`desired.${A}`), false],
  ['a', 'publish', consumer(`desired.${B}`), false],
  ['a', 'publish', consumer('bar.>'), false],
  ['a', 'publish', '$JS.API.CONSUMER.CREATE.KV_fleet', false],
  ['a', 'publish', '$JS.API.CONSUMER.DURABLE.CREATE.KV_fleet.w', false],
  ['a', 'publish', `$JS.API.CONSUMER.CREATE.events.w.events.${A}`, false],
  ['a', 'publish', '$JS.API.CONSUMER.DELETE.KV_fleet.w', false],
  ['a', 'publish', '$JS.API.STREAM.DELETE.KV_fleet', false],
  ['a', 'publish', '$JS.API.STREAM.PURGE.KV_fleet', false],
  ['a', 'publish', '$JS.API.STREAM.UPDATE.KV_fleet', false],
  ['a', 'publish', '$JS.API.STREAM.CREATE.mine', false],
  ['a', 'publish', '$JS.API.STREAM.MSG.DELETE.KV_fleet', false],
  ['a', 'publish', '$JS.API.STREAM.DELETE.events', false],
  ['a', 'publish', '$JS.API.STREAM.NAMES', false],
  ['a', 'publish', '$JS.API.STREAM.INFO.KV_fleet', false],
  ['a', 'publish', '$JS.API.INFO', false],
  ['a', 'publish', '$JS.FC.KV_fleet.x', false],
  ['a', 'publish', '$SYS.REQ.SERVER.PING', false],
  // A controller writes the states and reads all; it reports for no station and takes no stream away.
  ['controller', 'publish', `$KV.fleet.desired.${A}`, true],
  ['controller', 'publish', '$KV.fleet.bar.board-check.1=2E2=2E0', true],
  ['controller', 'publish', `$KV.fleet.group.${GROUP}`, true],
  ['controller', 'publish', '$KV.fleet.lease.controller', true],
  ['controller', 'publish', '$KV.fleet.rollout.r1', true],
  ['controller', 'publish', '$KV.fleet.offline.controller', true],
  ['controller', 'publish', 'events.=40controller', true],
  ['controller', 'publish', get(`reported.${A}`), true],
  ['controller', 'publish', consumer('reported.>'), true],
  ['controller', 'subscribe', 'kv.fleet.reported.*', true],
  ['controller', 'subscribe', 'kv.fleet.>', true],
  ['controller', 'publish', `$KV.fleet.reported.${A}`, false],
  ['controller', 'publish', `events.${A}`, false],
  ['controller', 'publish', '$JS.API.STREAM.DELETE.KV_fleet', false],
  ['controller', 'publish', '$JS.API.STREAM.PURGE.events', false],
  ['controller', 'subscribe', `_INBOX_${A}.>`, false],
  // A source reads what is wanted.
  ['source', 'publish', get(`desired.${A}`), true],
  ['source', 'subscribe', 'kv.fleet.desired.>', true],
  ['source', 'publish', `$KV.fleet.desired.${A}`, false],
  ['source', 'publish', get(`reported.${A}`), false],
  ['source', 'publish', consumer('desired.>'), false],
  // An inspector asks.
  ['inspector', 'publish', 'inspect.Werk=201.board', true],
  ['inspector', 'publish', '$SRV.PING.inspect', true],
  ['inspector', 'publish', 'inspect.Werk=202.board', false],
  ['inspector', 'publish', get(`desired.${A}`), false],
  ['inspector', 'publish', `$KV.fleet.reported.${A}`, false],
  ['inspector', 'publish', `_INBOX_${A}.x`, false],
  ['inspector', 'subscribe', 'inspect.Werk=201.board', false],
  ['inspector', 'subscribe', `_INBOX_${A}.>`, false],
  // An administrator may do all.
  ['administrator', 'publish', '$JS.API.STREAM.INFO.KV_fleet', true],
];

async function plant() {
  const seeds: Record<string, Uint8Array> = {};
  const users = Object.entries(USERS).map(([who, user]) => {
    const pair = transport.nkeys.createUser();
    seeds[who] = pair.getSeed();
    return { ...user, key: pair.getPublicKey() };
  });
  const server = await TestServer.start(fleetPermissions({ plant: 'Werk 1', users }));
  const as = async (who: Who): Promise<NatsConnection> => {
    const nc = await transport.connect({
      servers: server.url,
      authenticator: transport.nkeyAuthenticator(seeds[who]),
      reconnect: false,
      inboxPrefix: `_INBOX_${{ a: A, b: B, controller: 'control', source: 'packages', inspector: 'desk', administrator: 'root' }[who]}`,
    });
    onTestFinished(() => nc.close());
    return nc;
  };
  const folder = await temporaryFolder();
  const seedFile = async (who: Who) => {
    const file = path.join(folder, who);
    await writeFile(file, seeds[who] ?? '');
    return file;
  };
  return { server, as, seedFile };
}

async function isAllowed(nc: NatsConnection, how: string, subject: string): Promise<boolean> {
  let denied: unknown;
  if (how === 'subscribe') {
    const [name = '', queue] = subject.split(' ');
    const sub = nc.subscribe(name, { ...(queue && { queue }), callback: (error) => void (denied ??= error) });
    await nc.flush(); // the refusal comes before the answer to it
    if (!sub.isClosed()) sub.unsubscribe();
    return !denied;
  }
  try {
    await nc.request(subject, '{}', { timeout: 2_000 });
  } catch (error) {
    denied = (error as Error).cause instanceof transport.errors.PermissionViolationError;
  }
  return denied !== true;
}

test('two users with one name, or one key, are refused: each would be told what is for the other', () => {
  const [one = '', two = ''] = [0, 1].map(() => transport.nkeys.createUser().getPublicKey());
  const users = (name: string, key: string) => [
    { role: 'station' as const, name: 'desk', key: one },
    { role: 'inspector' as const, name, key },
  ];
  expect(() => fleetPermissions({ plant: 'p', users: users('desk', two) })).toThrow(
    'two users have the name desk',
  );
  expect(() => fleetPermissions({ plant: 'p', users: users('Desk', one) })).toThrow(
    'two users have the key U',
  );
  expect(fleetPermissions({ plant: 'p', users: users('Desk', two) })).toContain('inspector "Desk"');
});

describe.skipIf(skip)(title, () => {
  test('each attempt of the table is let through or denied, as it says', async () => {
    const { as } = await plant();
    const admin = await as('administrator');
    const js = jetstream.jetstream(admin);
    const manager = await js.jetstreamManager();
    await manager.streams.add({ name: 'KV_fleet', subjects: ['$KV.fleet.>'], allow_direct: true });
    await manager.streams.add({ name: 'events', subjects: ['events.*'], allow_direct: true });
    const wrong: string[] = [];
    for (const [who, how, subject, expected] of ATTEMPTS) {
      const nc = await as(who);
      if ((await isAllowed(nc, how, subject)) !== expected) {
        wrong.push(`${who} ${how} ${subject}: ${expected ? 'denied' : 'let through'}`);
      }
      await nc.close();
    }
    expect(wrong).toEqual([]);
    expect(ATTEMPTS.filter(([, , , expected]) => !expected).length).toBeGreaterThan(60);
  });

  test('what a station lets the server write to the keys and events of others counts for nothing', async () => {
    const { server, as, seedFile } = await plant();
    const connect = async (who: Who) =>
      server.connect({ name: USERS[who].name, seedFile: await seedFile(who), timeoutMs: 2_000 });
    const root = await connect('administrator');
    await root.create();
    const b = await connect('b');
    const a = await as('a');
    const said = (text: string, subject: string) => {
      const headers = transport.headers();
      headers.set('Procvision-Subject', subject);
      return [`"${text}"`, { headers, timeout: 2_000 }] as const;
    };
    const heard: unknown[] = [];
    const controller = await connect('controller');
    controller.values.watch('reported.>', {
      onChange: (stored) => heard.push(stored?.value),
      onEnd: (reason) => heard.push(reason),
    });
    await controller.values.get('lease.controller'); // the subscription stands
    await b.values.put(`reported.${B}`, 'of B');
    await b.events.publish('B.2', 'of B', { id: 'B.2/1' });
    await root.values.put(`desired.${B}`, 'for B');
    // Its own report and event, as if they were those of B, and then the server's answers to where they are to go.
    await a.request(`$KV.fleet.reported.${A}`, ...said('forged', `$KV.fleet.reported.${B}`));
    await a.request(`events.${A}`, ...said('forged', `events.${B}`));
    const forge = async (subject: string, reply: string) => {
      a.publish(subject, '', { reply });
      await a.flush();
    };
    await forge(get(`reported.${A}`), `$KV.fleet.reported.${B}`);
    await forge(get(`reported.${A}`), `kv.fleet.reported.${B}`);
    await forge(`$JS.API.DIRECT.GET.events.events.${A}`, `events.${B}`);
    await forge(`events.${A}`, `$KV.fleet.desired.${B}`);
    await vi.waitFor(async () => {
      expect(await controller.values.get(`reported.${B}`)).toBeUndefined();
      expect(await b.values.get(`desired.${B}`)).toBeUndefined();
      expect(await b.events.lastOffset('B.2')).toBeUndefined();
    });
    expect(await controller.values.list('reported.')).toEqual([]);
    expect((await controller.events.read()).map(({ body }) => body)).toEqual(['of B']);
    expect(heard).toEqual(['of B']);
    // It is written anew as if there were nothing.
    await b.values.put(`reported.${B}`, 'of B again', { revision: 0 });
    await vi.waitFor(() => {
      expect(heard).toEqual(['of B', 'of B again']);
    });
    expect((await controller.values.get(`reported.${B}`))?.value).toBe('of B again');
  });
});
