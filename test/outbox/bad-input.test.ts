import { expect, test, vi } from 'vitest';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { Outbox } from '../../src/outbox/index.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';

test('a verdict and a note that JSON cannot say are refused, and take none of those beside them with them', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const settled = await Promise.allSettled([
    outbox.record(resultOf(), facts),
    outbox.record(resultOf(), { ...facts, parameters: { count: 1n } }),
    outbox.record(resultOf('NG'), facts),
    outbox.note('log', { count: 1n }),
    outbox.note('alarm', { of: 'disk' }),
  ]);
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  for (const one of [1, 3]) expect(settled[one]).toMatchObject({ reason: { code: 'invalid_params' } });
  expect((await outbox.queue.due('records')).items).toHaveLength(3);
});

test.each([
  ['an error of another kind', new Error('boom')],
  ['nothing', undefined],
  ['a result without its times', { ...resultOf('NG'), timing: undefined }],
  ['a result without its data', { ...resultOf('NG'), data: undefined }],
])('record() refuses %s: it would be a record of no verdict', async (_what, inspected) => {
  const outbox = await openOutbox(await temporaryFolder());
  await expect(outbox.record(inspected as never, facts)).rejects.toMatchObject({ code: 'invalid_params' });
  expect((await outbox.queue.due('records')).items).toEqual([]);
});

test('what is changed after the call of record() or note() is recorded as it was', async () => {
  let now = 1_000;
  const outbox = await openOutbox(await temporaryFolder(), { now: () => now });
  const parameters = { limit: 1 };
  const result = resultOf('NG');
  const data = { of: 'disk' };
  const recorded = outbox.record(result, { ...facts, parameters });
  const noted = outbox.note('alarm', data);
  now = 9_000;
  parameters.limit = 2;
  result.data.ng_reason = 'none';
  data.of = 'fan';
  const { index } = await recorded;
  await noted;
  const { record = '' } = await outbox.prove(index);
  expect(JSON.parse(record)).toMatchObject({
    body: { ng_reason: 'scratch', timestamp_ms: 1_000 },
    evidence: { parameters: { limit: 1 }, data: { ng_reason: 'scratch' } },
  });
  const [alarm] = (await outbox.queue.due('records')).items;
  expect(alarm?.body).toMatchObject({ timestamp_ms: 1_000, data: { of: 'disk' } });
});

test('a rule for pictures that throws costs the picture, which is counted, and not the verdict', async () => {
  const choose = () => {
    throw new Error('no rule for this');
  };
  const outbox = await openOutbox(await temporaryFolder(), { pictures: { choose } });
  const image = { data: Buffer.alloc(12), width: 2, height: 2 };
  await outbox.record(resultOf('NG'), { ...facts, image });
  await vi.waitFor(async () => {
    const { due, shed } = await outbox.status();
    expect([due.business.records, due.ngPictures.records, shed.ngPictures.records]).toEqual([1, 0, 1]);
  });
});

test('a picture without a pixel is given up and counted, and an encoded file without a byte is kept', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const image = { data: new Uint8Array(0), width: 0, height: 0 };
  await outbox.record(resultOf('NG'), { ...facts, image, pictures: [pictureOf('')] });
  await vi.waitFor(async () => {
    const { due, shed } = await outbox.status();
    expect([due.business.records, due.ngPictures.records, shed.ngPictures.records]).toEqual([1, 1, 1]);
  });
});

test('pictures of 300 MiB that the disk does not have yet are not all held in memory: the verdicts are kept', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const [large, other] = [200, 100].map((mebibytes) => ({
    ...pictureOf(''),
    encoded: Buffer.alloc(mebibytes << 20),
  }));
  if (!large || !other) throw new Error('two pictures');
  await Promise.all([
    outbox.record(resultOf('NG'), { ...facts, pictures: [large] }),
    outbox.record(resultOf('NG'), { ...facts, pictures: [other] }),
  ]);
  await vi.waitFor(async () => {
    const { due, shed } = await outbox.status();
    expect([due.business.records, due.ngPictures.records]).toEqual([2, 1]);
    expect(shed.ngPictures).toEqual({ records: 1, bytes: 100 << 20 });
  });
});

test('verdicts beyond maxPending that come at once are refused before they wait for their turn', async () => {
  const outbox = await openOutbox(await temporaryFolder(), { maxPending: 3 });
  const settled = await Promise.allSettled(Array.from({ length: 5 }, () => outbox.record(resultOf(), facts)));
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  expect(settled[4]).toMatchObject({ reason: { code: 'queue_full' } });
});

test('a picture of a verdict that is refused because too many wait is counted as given up too', async () => {
  const outbox = await openOutbox(await temporaryFolder(), { maxPending: 1 });
  const both = [1, 2].map((one) =>
    outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf(String(one))] }),
  );
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  const { due, shed } = await outbox.status();
  expect([due.ngPictures.records, shed.ngPictures, shed.business.records]).toEqual([
    1,
    { records: 1, bytes: 1 },
    1,
  ]);
});

test('an outbox that is open keeps its public key when another with another key tries to open it', async () => {
  const folder = await temporaryFolder();
  await openOutbox(folder);
  const file = path.join(folder, 'keys', 'receipts.pub.pem');
  const before = await readFile(file, 'utf8');
  const { privateKey: signingKey } = generateKeyPairSync('ed25519');
  const second = Outbox.open(folder, { station: 'ws-1', signingKey });
  await expect(second).rejects.toMatchObject({ code: 'lock_timeout' });
  expect(await readFile(file, 'utf8')).toBe(before);
});

test('after a clock that was put back a year what was lost is told, and what was delivered still goes', async () => {
  const DAY_MS = 86_400_000;
  let now = 1_000 * DAY_MS;
  const throws = () => {
    throw new Error('no rule for this');
  };
  const outbox = await openOutbox(await temporaryFolder(), { now: () => now, pictures: { choose: throws } });
  const image = { data: Buffer.alloc(12), width: 2, height: 2 };
  const record = () => outbox.record(resultOf('NG'), { ...facts, image });
  const told = async () => {
    const { items } = await outbox.queue.due('records');
    return items.filter(({ kind }) => kind === 'shed').length;
  };
  await record();
  await vi.waitFor(async () => {
    expect(await told()).toBe(1);
  });
  now -= 365 * DAY_MS;
  await record();
  await vi.waitFor(async () => {
    expect(await told()).toBe(2);
  });
});
