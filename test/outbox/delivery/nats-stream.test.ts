import { createHash, randomBytes } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { NatsStream } from '../../../src/outbox/delivery/targets/nats-stream.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { attempt, outgoing, picture, verdict } from '../../support/outbox/samples.js';

const isThere = (await natsServer()) !== undefined;

describe.skipIf(!isThere)(`a stream${isThere ? '' : ` (skipped: ${NO_SERVER})`}`, () => {
  async function opened(maxMessageBytes = -1) {
    const server = await TestServer.start();
    const nc = await connect({ servers: server.url });
    const manager = await jetstreamManager(nc);
    const make = () =>
      manager.streams.add({
        ...{ name: 'inspections', subjects: ['procvision.>'], max_msg_size: maxMessageBytes },
      });
    const target = new NatsStream({ servers: [server.url] });
    onTestFinished(async () => {
      await target.close();
      await nc.close();
    });
    /** What the stream has of a subject, in its order. */
    const messages = async (subject: string) => {
      const consumer = await jetstream(nc).consumers.get('inspections', { filter_subjects: subject });
      const { num_pending: pending } = await consumer.info();
      const found = [];
      if (pending === 0) return [];
      for await (const message of await consumer.fetch({ max_messages: pending, expires: 5_000 })) {
        found.push(message);
      }
      return found;
    };
    return { server, target, make, messages };
  }

  test('records are messages in their order, by their ingest_id: sent again they are there once', async () => {
    const { target, make, messages } = await opened();
    await make();
    const batch = [1, 2, 3].map((number) => outgoing(verdict(number)));
    expect(await target.sendRecords(batch.slice(0, 2), attempt())).toEqual({ state: 'taken' });
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
    const stored = await messages('procvision.records.ws-1');
    expect(stored.map((message) => message.json())).toEqual([1, 2, 3].map((number) => verdict(number)));
    expect(stored.map(({ headers }) => headers?.get('Nats-Msg-Id'))).toEqual(
      batch.map(({ ingestId }) => ingestId),
    );
  });

  test('two stations whose names differ in a blank alone have two subjects', async () => {
    const { target, make, messages } = await opened();
    await make();
    const ids = ['line 1/s/1/1', 'line_1/s/1/1'];
    const batch = ids.map((ingest_id) => outgoing({ ...verdict(1), ingest_id }));
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
    expect(await messages('procvision.records.line=201')).toHaveLength(1);
    expect(await messages('procvision.records.line_1')).toHaveLength(1);
  });

  test('a picture is there in parts, and then what it is', async () => {
    const { target, make, messages } = await opened();
    await make();
    const bytes = randomBytes(1_200_000);
    const sent = picture(bytes);
    expect(await target.sendPicture(sent, attempt())).toEqual({ state: 'taken' });
    const parts = await messages('procvision.pictures.ws-1');
    expect(parts).toHaveLength(3);
    const whole = Buffer.concat(parts.map(({ data }) => data));
    expect(createHash('sha256').update(whole).digest('hex')).toBe(sent.sha256);
    const [index] = await messages('procvision.artifacts.ws-1');
    expect(index?.json()).toEqual({ ...sent.artifact, sha256: sent.sha256, is_thumbnail: false, parts: 3 });
    expect(index?.seq).toBeGreaterThan(parts.at(-1)?.seq ?? Infinity);
  });

  test('without a stream it is a failure that says what to make, and afterwards it is taken', async () => {
    const { target, make } = await opened();
    const batch = [outgoing(verdict(1))];
    expect(await target.sendRecords(batch, attempt())).toMatchObject({
      ...{ state: 'failed', cause: 'platform' },
      reason: expect.stringContaining('no stream takes procvision.>') as string,
    });
    await make();
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
  });

  test('a record that is too large for the stream is refused for good', async () => {
    const { target, make } = await opened(200);
    await make();
    expect(await target.sendRecords([outgoing(verdict(1))], attempt())).toMatchObject({ state: 'refused' });
  });

  test('a server that is away is a failure of the network, and taken when it is back', async () => {
    const { server, target, make } = await opened();
    await make();
    const batch = [outgoing(verdict(1))];
    expect(await target.sendRecords(batch, attempt())).toEqual({ state: 'taken' });
    await server.stop();
    const away = await target.sendRecords([outgoing(verdict(2))], attempt(AbortSignal.timeout(500)));
    expect(away).toMatchObject({ state: 'failed', cause: 'network' });
    await server.restart();
    await expect
      .poll(() => target.sendRecords([outgoing(verdict(2))], attempt(AbortSignal.timeout(2_000))), {
        timeout: 20_000,
      })
      .toEqual({ state: 'taken' });
  });
});

test('without the optional peer the error says what to install', () => {
  const load = () => {
    throw new Error('not found');
  };
  expect(() => new NatsStream({ servers: ['nats://x'] }, load)).toThrow(
    /npm install @nats-io\/transport-node/,
  );
});
