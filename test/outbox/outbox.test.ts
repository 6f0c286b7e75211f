import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/index.js';
import { dueKey, rangeOf } from '../../src/outbox/storage/keys.js';
import { levelDatabase } from '../../src/outbox/storage/level.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';

test('a verdict that was recorded is due, also after the outbox was opened again', async () => {
  const folder = await temporaryFolder();
  const first = await openOutbox(folder);
  const receipt = await first.record(resultOf('NG'), { ...facts, timestampMs: 1_700_000_000_000 });
  expect(receipt).toMatchObject({ ingestId: 'ws-1/s1/1/1700000000000', index: 0 });
  await first.close();
  const { items } = await (await openOutbox(folder)).queue.due('records');
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    index: 0,
    priority: 'business',
    kind: 'verdict',
    ingestId: receipt.ingestId,
    attempts: 0,
    body: {
      ingest_id: receipt.ingestId,
      workstation_id: 'ws-1',
      session_id: 's1',
      step_index: 1,
      pid: 'A01',
      trace_id: 'r-1',
      status: 'OK',
      latency_ms: 6,
      model_version: '1.0.0',
      result_status: 'NG',
      ng_reason: 'scratch',
      defect_rects_count: 1,
    },
  });
});

test('two verdicts of one step in one millisecond have two ids, also after a restart and a clock that was put back', async () => {
  const folder = await temporaryFolder();
  const ids: string[] = [];
  for (const now of [1_000, 1_000, 500]) {
    const outbox = await openOutbox(folder, { now: () => now });
    for (let one = 0; one < 3; one++) ids.push((await outbox.record(resultOf(), facts)).ingestId);
    await outbox.close();
  }
  expect(new Set(ids).size).toBe(9);
  expect(ids[0]).toBe('ws-1/s1/1/1000');
  expect(ids[1]).toBe('ws-1/s1/1/1000-1');
});

test.each(['ws/1', '/', 'half \ud800'])(
  'a station %j is refused: its name is the first part of each ingest_id, and a part of subjects',
  async (station) => {
    await expect(openOutbox(await temporaryFolder(), { station })).rejects.toMatchObject({
      code: 'invalid_params',
      message: expect.stringContaining("station must be a name without '/'") as string,
    });
  },
);

test('the failure of an inspection is a record with the status ERROR', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const error = new RunnerError('timeout', 'too slow', { details: { timeoutMs: 1, stage: 'call' } });
  await outbox.record(error, { ...facts, version: '2.0.0' });
  const [item] = (await outbox.queue.due('records')).items;
  expect(item?.body).toMatchObject({ status: 'ERROR', result_status: 'ERROR', model_version: '2.0.0' });
});

test('health and alarms are due before verdicts, verdicts before lines of a log, and pictures in a lane of their own', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  await outbox.note('log', { line: 'a' });
  await outbox.record(resultOf(), { ...facts, pictures: [pictureOf('ok')] });
  await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf('ng')] });
  await outbox.note('alarm', { of: 'disk' });
  await outbox.note('health', { ok: true });
  const records = (await outbox.queue.due('records')).items.map(({ kind }) => kind);
  expect(records).toEqual(['alarm', 'health', 'verdict', 'verdict', 'log']);
  const pictures = (await outbox.queue.due('pictures')).items;
  expect(pictures.map(({ priority }) => priority)).toEqual(['ngPictures', 'okPictures']);
  expect(pictures.map(({ picture }) => readFileSync(picture?.file ?? '', 'utf8'))).toEqual(['ng', 'ok']);
  expect(await outbox.status()).toMatchObject({
    recorded: 7,
    delivered: 0,
    due: { health: { records: 2 }, business: { records: 2 }, diagnostics: { records: 1 } },
  });
});

test('what was acknowledged is not due again, and its picture goes', async () => {
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder);
  await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf('ng')] });
  const [picture] = (await outbox.queue.due('pictures')).items;
  const file = picture?.picture?.file ?? '';
  expect(existsSync(file)).toBe(true);
  const records = (await outbox.queue.due('records')).items;
  await outbox.queue.acknowledge([...records, ...(picture ? [picture] : [])]);
  await outbox.queue.acknowledge(records); // twice is once
  for (const lane of ['records', 'pictures'] as const) {
    expect((await outbox.queue.due(lane)).items).toEqual([]);
  }
  await outbox.close();
  expect(existsSync(file)).toBe(false);
  expect(await (await openOutbox(folder)).status()).toMatchObject({ delivered: 2, oldestDueAt: undefined });
});

test('a record that waits for its retry holds up those behind it, a picture does not', async () => {
  let now = 1_000;
  const outbox = await openOutbox(await temporaryFolder(), { now: () => now });
  for (const name of ['a', 'b'])
    await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf(name)] });
  await outbox.note('health', {});
  for (const lane of ['records', 'pictures'] as const) {
    const [item] = (await outbox.queue.due(lane)).items.filter(({ priority }) => priority !== 'health');
    if (item) await outbox.queue.retryLater([item], 5_000);
  }
  const records = await outbox.queue.due('records');
  expect(records.items.map(({ kind }) => kind)).toEqual(['health']);
  expect(records.retryAt).toBe(5_000);
  expect((await outbox.queue.due('pictures')).items.map(({ index }) => index)).toEqual([3]);
  now = 5_000;
  const later = (await outbox.queue.due('records')).items;
  expect(later.map(({ index, attempts }) => [index, attempts])).toEqual([
    [4, 0],
    [0, 1],
    [2, 0],
  ]);
});

test('a picture that fails for long leaves no marks of the delivered ones behind it', async () => {
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder);
  for (let one = 0; one < 20; one++)
    await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf('a')] });
  const [first, ...others] = (await outbox.queue.due('pictures')).items;
  if (first) await outbox.queue.retryLater([first], Date.now() + 60_000);
  for (const item of others) await outbox.queue.acknowledge([item]);
  expect((await outbox.queue.due('pictures')).items).toEqual([]);
  await outbox.close();
  const database = levelDatabase(path.join(folder, 'records'));
  await database.open();
  const marks: string[] = [];
  for await (const key of database.keys(rangeOf('d3'))) marks.push(key);
  await database.close();
  expect(marks).toEqual([dueKey(3, 1)]);
  const again = await openOutbox(folder, { now: () => Date.now() + 120_000 });
  expect((await again.queue.due('pictures')).items.map(({ index }) => index)).toEqual([1]);
});

test('a record that is set aside holds up nothing, and comes back at its old place', async () => {
  const outbox = await openOutbox(await temporaryFolder(), { retentionDays: 0 });
  for (let one = 0; one < 3; one++) await outbox.record(resultOf(), facts);
  const [first] = (await outbox.queue.due('records')).items;
  if (first) await outbox.queue.setAside(first, 'no such session');
  expect((await outbox.queue.due('records')).items.map(({ index }) => index)).toEqual([1, 2]);
  expect(await outbox.queue.aside()).toMatchObject([
    { index: 0, reason: 'no such session', kind: 'verdict' },
  ]);
  await outbox.queue.putBack([0, 7]);
  expect((await outbox.queue.due('records')).items.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(await outbox.status()).toMatchObject({ aside: 0, due: { business: { records: 3 } } });
});

test('past the bound the least important is given up first, and a record tells how much', async () => {
  const outbox = await openOutbox(await temporaryFolder(), { maxBytes: 2 ** 20 });
  const large = (name: string) => pictureOf(name.repeat(200_000));
  await outbox.record(resultOf('NG'), { ...facts, pictures: [large('n')] });
  for (const name of 'abcdefgh') await outbox.record(resultOf(), { ...facts, pictures: [large(name)] });
  await outbox.close();
  const again = await openOutbox(outbox.folder, { maxBytes: 2 ** 20 });
  const status = await again.status();
  expect(status.kept.bytes).toBeLessThanOrEqual(2 ** 20);
  expect(status.due.ngPictures.records).toBe(1);
  expect(status.due.business.records).toBe(9);
  expect(status.shed.okPictures.records).toBe(8 - status.due.okPictures.records);
  const told = (await again.queue.due('records')).items.filter(({ kind }) => kind === 'shed');
  const sum = told.reduce((all, { body }) => all + ('records' in body ? body.records : 0), 0);
  expect(sum).toBe(status.shed.okPictures.records);
  const files = readdirSync(path.join(outbox.folder, 'pictures'), { recursive: true, withFileTypes: true });
  expect(files.filter((entry) => entry.isFile())).toHaveLength(1 + status.due.okPictures.records);
});

test('what was given before close() is kept, also where its pictures are not on the disk yet', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const image = { data: new Uint8Array(1_600 * 1_200 * 3), width: 1_600, height: 1_200 };
  await outbox.record(resultOf('NG'), { ...facts, image }); // what encodes is loaded
  const given = Array.from({ length: 8 }, () => outbox.record(resultOf('NG'), { ...facts, image }));
  given.push(outbox.record(resultOf(), facts));
  await outbox.close();
  expect((await Promise.all(given)).map(({ index }) => index)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18]);
  const { due } = await (await openOutbox(outbox.folder)).status();
  expect([due.business.records, due.ngPictures.records]).toEqual([10, 9]);
});

test('what was lost is told by a close, also where two close at once', async () => {
  for (let run = 0; run < 8; run++) {
    const outbox = await openOutbox(await temporaryFolder(), { maxPending: 1 });
    const kept = outbox.record(resultOf(), facts);
    await expect(outbox.record(resultOf(), facts)).rejects.toMatchObject({ code: 'queue_full' });
    await kept;
    await Promise.all([outbox.close(), outbox.close()]);
    const { shed, due } = await (await openOutbox(outbox.folder)).status();
    expect([shed.business.records, due.business.records]).toEqual([1, 1]);
  }
});

test('files that no record names are gone after the next open', async () => {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, 'pictures', 'ab'), { recursive: true });
  const orphan = path.join(folder, 'pictures', 'ab', `ab${'0'.repeat(62)}`);
  await writeFile(orphan, 'x');
  await openOutbox(folder);
  expect(existsSync(orphan)).toBe(false);
});

test('a second outbox in one folder is refused', async () => {
  const folder = await temporaryFolder();
  await openOutbox(folder);
  await expect(openOutbox(folder)).rejects.toMatchObject({ code: 'lock_timeout' });
});
