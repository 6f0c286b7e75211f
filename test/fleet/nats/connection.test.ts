import { describe, expect, test, vi } from 'vitest';
import type { StoredValue } from '../../../src/fleet/index.js';
import { natsError } from '../../../src/fleet/nats/errors.js';
import { loadNats } from '../../../src/fleet/nats/peers.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { SilentProxy } from '../../support/silent-proxy.js';

const skip = (await natsServer()) === undefined;
const title = skip
  ? `a connection to a real server (skipped: ${NO_SERVER})`
  : 'a connection to a real server';

describe.skipIf(skip)(title, () => {
  async function bare() {
    const server = await TestServer.start();
    const connection = await server.connect();
    return { server, connection, values: connection.values, events: connection.events };
  }

  async function fleet() {
    const made = await bare();
    await made.connection.create();
    return made;
  }

  test('a value is read as it was written, and revisions rise', async () => {
    const { values } = await fleet();
    const first = await values.put('desired.A=20=E5=8F=B0', { rev: 1 });
    const second = await values.put('desired.A=20=E5=8F=B0', { rev: 2 });
    expect(second).toBeGreaterThan(first);
    const stored = { key: 'desired.A=20=E5=8F=B0', value: { rev: 2 }, revision: second };
    expect(await values.get('desired.A=20=E5=8F=B0')).toEqual(stored);
    expect(await values.get('desired.B')).toBeUndefined();
  });

  test('a write with a revision that is not the present one is a conflict', async () => {
    const { values } = await fleet();
    const revision = await values.put('lease.controller', 1, { revision: 0 });
    await expect(values.put('lease.controller', 2, { revision: 0 })).rejects.toMatchObject({
      code: 'conflict',
      details: { path: 'lease.controller' },
    });
    const next = await values.put('lease.controller', 3, { revision });
    await expect(values.delete('lease.controller', { revision })).rejects.toMatchObject({ code: 'conflict' });
    await values.delete('lease.controller', { revision: next });
    expect(await values.get('lease.controller')).toBeUndefined();
    await values.put('lease.controller', 4, { revision: 0 });
    expect((await values.get('lease.controller'))?.value).toBe(4);
  });

  test('an event after an offset that is not the last is a conflict, and one that was stored already is no conflict', async () => {
    const { events } = await fleet();
    expect(await events.publish('line 1', { n: 1 }, { id: 'line 1/1', after: 0 })).toEqual({
      isDuplicate: false,
    });
    await events.publish('line 2', { n: 1 }, { id: 'line 2/1', after: 0 });
    await events.publish('line 1', { n: 2 }, { id: 'line 1/2', after: 1 });
    const hole = events.publish('line 1', { n: 4 }, { id: 'line 1/4', after: 3 });
    await expect(hole).rejects.toMatchObject({ code: 'conflict', details: { path: 'events.line=201' } });
    await events.publish('line 1', { n: 3 }, { id: 'line 1/3', after: 2 });
    expect(await events.publish('line 1', { n: 3 }, { id: 'line 1/3', after: 3 })).toEqual({
      isDuplicate: true,
    });
    expect(await events.lastOffset('line 1')).toBe(3);
  });

  test('a value with a time to live goes, and the key can be created again', async () => {
    const { values } = await fleet();
    const heard: unknown[] = [];
    const stop = values.watch('lease.controller', {
      onChange: (stored) => heard.push(stored?.value),
      onEnd: vi.fn(),
    });
    await values.put('lease.controller', 'first', { revision: 0, ttlMs: 1_000 });
    await vi.waitFor(async () => {
      expect(await values.get('lease.controller')).toBeUndefined();
    }, 20_000);
    expect(heard).toEqual(['first']); // no word tells that its time is over
    await values.put('lease.controller', 'second', { revision: 0, ttlMs: 60_000 });
    expect((await values.get('lease.controller'))?.value).toBe('second');
    stop();
  });

  test('list tells the values below a prefix and leaves out what was removed', async () => {
    const { values } = await fleet();
    expect(await values.list('reported.')).toEqual([]);
    for (let i = 0; i < 30; i++) await values.put(`reported.S${i}`, i);
    await values.put('desired.S1', 'other');
    await values.delete('reported.S7');
    const listed = (await values.list('reported.')).map(({ value }) => value as number);
    expect(listed.sort((a, b) => a - b)).toEqual([...Array(30).keys()].filter((i) => i !== 7));
  });

  test('a watch tells the present value, each change, and a removal', async () => {
    const { values } = await fleet();
    await values.put('desired.A', 1);
    const heard: unknown[] = [];
    const stop = values.watch('desired.A', {
      onChange: (stored) => heard.push(stored?.value),
      onEnd: vi.fn(),
    });
    await vi.waitFor(() => {
      expect(heard).toEqual([1]);
    });
    await values.put('desired.A', 2);
    await values.delete('desired.A');
    await vi.waitFor(() => {
      expect(heard).toEqual([1, 2, undefined]);
    });
    stop();
    await values.put('desired.A', 3);
    await values.get('desired.A');
    expect(heard).toHaveLength(3);
  });

  test('a watch of a prefix tells the keys', async () => {
    const { values } = await fleet();
    const keys = new Set<string | undefined>();
    values.watch('reported.*', { onChange: (stored) => keys.add(stored?.key), onEnd: vi.fn() });
    await values.put('reported.A', 1);
    await values.put('reported.B', 1);
    await vi.waitFor(() => {
      expect(keys).toEqual(new Set(['reported.A', 'reported.B']));
    });
  });

  test('of one event published twice the stream keeps one, and says so', async () => {
    const { events } = await fleet();
    expect(await events.lastOffset('A')).toBeUndefined();
    expect(await events.publish('A', { n: 1 }, { id: 'A/1' })).toEqual({ isDuplicate: false });
    expect(await events.publish('A', { n: 1 }, { id: 'A/1' })).toEqual({ isDuplicate: true });
    await events.publish('A', { n: 2 }, { id: 'A/2' });
    await events.publish('B b', { n: 9 }, { id: 'B b/9' });
    expect(await events.lastOffset('A')).toBe(2);
    expect(await events.lastOffset('B b')).toBe(9);
  });

  test('events are read from a place on, and the last ones of a station from far back', async () => {
    const { events } = await fleet();
    await events.publish('A', 'first', { id: 'A/1' });
    for (let i = 1; i <= 40; i++) await events.publish('B', i, { id: `B/${i}` });
    const [first] = await events.read({ station: 'A', limit: 2 });
    expect(first).toMatchObject({ sequence: 1, subject: 'events.A', body: 'first' });
    expect(Math.abs(Date.parse(first?.storedAt ?? '') - Date.now())).toBeLessThan(60_000);
    const after = await events.read({ after: 10, limit: 3 });
    expect(after.map(({ sequence }) => sequence)).toEqual([11, 12, 13]);
    expect((await events.read({ limit: 2 })).map(({ body }) => body)).toEqual([39, 40]);
    expect(await events.read({ after: 41 })).toEqual([]);
  });

  test('a server that was killed and is back: connected again, watches tell what was written since', async () => {
    const { server, connection, values } = await fleet();
    const reconnects = vi.fn();
    connection.onConnect(reconnects);
    const heard: unknown[] = [];
    const onEnd = vi.fn();
    values.watch('desired.A', { onChange: (stored) => heard.push(stored?.value), onEnd });
    const revision = await values.put('desired.A', 1);
    await vi.waitFor(() => {
      expect(heard).toEqual([1]);
    });
    await server.stop('SIGKILL');
    await vi.waitFor(() => {
      expect(connection.isConnected).toBe(false);
    });
    await expect(values.get('desired.A')).rejects.toMatchObject({ code: 'unreachable', retryable: true });
    await server.restart();
    const other = await server.connect({ name: 'other' });
    await vi.waitFor(async () => {
      await other.values.put('desired.A', 2, { revision });
    });
    await vi.waitFor(() => {
      expect(heard.at(-1)).toBe(2);
    }, 15_000);
    expect(reconnects).toHaveBeenCalled();
    expect(onEnd).not.toHaveBeenCalled();
  });

  test('a watch that is ended and opened anew as the line stands again: the ended one hears nothing more, and no subscription is left of it', async () => {
    const { server, connection, values } = await fleet();
    const open: { end?: () => void; count: number } = { count: 0 };
    const words: number[] = [];
    const openAnew = () => {
      open.end?.();
      const number = ++open.count;
      open.end = values.watch('reported.>', {
        onChange: () => words.push(number),
        onEnd: () => undefined,
      });
    };
    connection.onConnect(openAnew);
    openAnew();
    for (let time = 1; time <= 3; time++) {
      await server.stop('SIGKILL');
      await server.restart();
      await vi.waitFor(() => expect(open.count).toBe(time + 1), 20_000);
    }
    await values.put('reported.A', 1);
    await vi.waitFor(() => expect(words).toContain(4), 20_000);
    await values.put('reported.A', 2);
    await vi.waitFor(() => expect(words.filter((number) => number === 4)).toHaveLength(2), 20_000);
    expect(words).toEqual([4, 4]);
  });

  test('a line that went silent is noticed, and the watch tells what was written in the meantime', async () => {
    const { server, values } = await fleet();
    const proxy = await SilentProxy.start(server.port);
    const station = await server.connect({
      servers: [proxy.url],
      name: 'A',
      pingIntervalMs: 300,
      timeoutMs: 600,
    });
    const heard: (StoredValue | undefined)[] = [];
    station.values.watch('desired.A', { onChange: (stored) => heard.push(stored), onEnd: vi.fn() });
    await values.put('desired.A', 'before');
    await vi.waitFor(() => {
      expect(heard.at(-1)?.value).toBe('before');
    });
    proxy.goSilent();
    await values.put('desired.A', 'while it was silent');
    await expect(station.values.get('desired.A')).rejects.toMatchObject({ retryable: true });
    await vi.waitFor(() => {
      expect(station.isConnected).toBe(false);
    });
    proxy.speak();
    await vi.waitFor(() => {
      expect(heard.at(-1)?.value).toBe('while it was silent');
    }, 15_000);
  });

  test('a bucket that was wiped and made anew: the watch goes on with the revisions of the new one', async () => {
    const { connection, values, server } = await fleet();
    for (let i = 0; i < 20; i++) await values.put('desired.A', i);
    const heard: unknown[] = [];
    values.watch('desired.A', { onChange: (stored) => heard.push(stored?.value), onEnd: vi.fn() });
    await vi.waitFor(() => {
      expect(heard).toEqual([19]);
    });
    const { transport, jetstream } = loadNats('test');
    const nc = await transport.connect({ servers: server.url });
    await (await jetstream.jetstreamManager(nc)).streams.delete('KV_fleet');
    await nc.close();
    await expect(values.get('desired.A')).rejects.toMatchObject({ code: 'unreachable' });
    await connection.create();
    await values.put('desired.A', 'anew');
    await vi.waitFor(() => {
      expect(heard.at(-1)).toBe('anew');
    }, 40_000);
  });

  test('a put whose answer was lost is stored once, and its second try says the revision', async () => {
    const { server, values } = await fleet();
    const proxy = await SilentProxy.start(server.port);
    const station = await server.connect({ servers: [proxy.url], name: 'A', timeoutMs: 9_000 });
    const revision = await values.put('reported.A', 0);
    proxy.dropAnswers(1);
    const written = await station.values.put('reported.A', 1, { revision });
    expect(await values.get('reported.A')).toEqual({ key: 'reported.A', value: 1, revision: written });
    expect(written).toBe(revision + 1);
  });

  test('a bucket that others made is changed to what the fleet needs', async () => {
    const { server, connection, values } = await bare();
    const { transport, jetstream, kv } = loadNats('test');
    const nc = await transport.connect({ servers: server.url });
    await new kv.Kvm(jetstream.jetstream(nc)).create('fleet', { allow_direct: false });
    await nc.close();
    await connection.create();
    await values.put('desired.A', 'first');
    const heard: unknown[] = [];
    values.watch('desired.A', { onChange: (stored) => heard.push(stored?.value), onEnd: vi.fn() });
    await vi.waitFor(() => {
      expect(heard).toEqual(['first']);
    });
    await values.put('desired.A', 'second', { ttlMs: 60_000 });
    await vi.waitFor(() => {
      expect(heard).toEqual(['first', 'second']);
    });
  });

  test('a value above the limit of the server is the fault of the caller', async () => {
    const { values } = await fleet();
    const large = 'x'.repeat(1_000_000);
    await expect(values.put('desired.A', large)).rejects.toMatchObject({ code: 'invalid_params' });
    await expect(values.put('desired.A', large.repeat(2))).rejects.toMatchObject({ code: 'invalid_params' });
  });

  test('without a server the connection is there and says why it has no line, until the server comes', async () => {
    const server = await TestServer.start();
    await server.stop();
    const connection = await server.connect({ waitMs: 0 });
    expect(connection.isConnected).toBe(false);
    await vi.waitFor(() => {
      expect(connection.failure).toMatchObject({ code: 'unreachable' });
    });
    const reached = vi.fn();
    connection.onConnect(reached);
    await server.restart();
    await vi.waitFor(() => {
      expect(reached).toHaveBeenCalledTimes(1);
    }, 15_000);
    await connection.create();
    await connection.values.put('desired.A', 1);
    await connection.close();
    await expect(connection.values.get('desired.A')).rejects.toMatchObject({ code: 'closed' });
  });

  test('an unknown user is told so at once, and is let in once the server knows it', async () => {
    const server = await TestServer.start('authorization { user: a, password: first }');
    const wrong = { user: 'a', password: 'second' };
    await expect(server.connect(wrong)).rejects.toMatchObject({ code: 'denied' });
    const patient = await server.connect({ ...wrong, waitMs: 0 });
    await vi.waitFor(() => {
      expect(patient.failure).toMatchObject({ code: 'denied' });
    });
    await server.stop();
    await server.restart('authorization { user: a, password: second }');
    await vi.waitFor(() => {
      expect(patient.isConnected).toBe(true);
    }, 15_000);
    // A server that forgets the user, and remembers it later: the client alone would give up at the second refusal.
    await server.stop();
    await server.restart('authorization { user: a, password: first }');
    await vi.waitFor(() => {
      expect(patient.failure).toMatchObject({ code: 'denied' });
    }, 15_000);
    await server.stop();
    await server.restart('authorization { user: a, password: second }');
    await vi.waitFor(() => {
      expect(patient.isConnected).toBe(true);
    }, 15_000);
  });

  test('a call that is aborted ends at once', async () => {
    const { values } = await fleet();
    await expect(values.get('desired.A', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});

test('without its package the call names what to install', () => {
  const load = () => {
    throw new Error('not found');
  };
  expect(() => loadNats('connectFleet()', load)).toThrow(
    /connectFleet\(\) needs the package @nats-io\/transport-node, .*npm install @nats-io\/transport-node @nats-io\/jetstream @nats-io\/kv/,
  );
});

test('a login that took the server too long is no refusal: it is tried again', () => {
  const peers = loadNats('test');
  const operation = { what: 'connection', key: 'servers', timeoutMs: 5_000 };
  const { AuthorizationError } = peers.transport;
  const said = (text: string) => natsError(peers, new AuthorizationError(text), operation);
  expect(said('Authentication Timeout')).toMatchObject({ code: 'unreachable', retryable: true });
  expect(said('Authorization Violation')).toMatchObject({ code: 'denied', retryable: false });
});
