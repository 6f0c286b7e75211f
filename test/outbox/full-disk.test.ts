import { randomBytes } from 'node:crypto';
import { rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { verifyReceipts } from '../../src/outbox/index.js';
import { NO_MOUNTS, smallDisk } from '../support/mounts.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';

const DAY_MS = 86_400_000;

test.skipIf(NO_MOUNTS !== undefined)(
  `a full disk refuses records and says so, keeps every promised record, and goes on by itself when it has room${NO_MOUNTS === undefined ? '' : ` (skipped: ${NO_MOUNTS})`}`,
  { timeout: 60_000 },
  async () => {
    const disk = await smallDisk(40);
    const folder = path.join(disk.folder, 'outbox');
    const outbox = await openOutbox(folder);
    const promised: number[] = [];
    let refused = 0;
    const record = async (bytes: number) => {
      const pictures = [pictureOf(String(promised.length).padEnd(bytes, 'x'))];
      try {
        promised.push((await outbox.record(resultOf(), { ...facts, pictures })).index);
      } catch (error) {
        expect(error).toMatchObject({ code: 'store_failed' });
        refused++;
      }
    };
    for (let one = 0; one < 5; one++) await record(200_000);
    disk.fill();
    for (let one = 0; one < 2_000 && refused < 20; one++) {
      await record(20_000);
      if (one % 10 === 0) disk.fill();
    }
    expect(refused).toBe(20);
    expect((await outbox.status()).diskError).toMatch(/space/i);
    await rm(path.join(disk.folder, 'filler'));
    await vi.waitFor(
      async () => {
        const before = promised.length;
        await record(10);
        expect(promised.length).toBeGreaterThan(before);
      },
      { timeout: 20_000, interval: 200 },
    );
    await outbox.close();
    const again = await openOutbox(folder);
    const due = await again.queue.due('records', { limit: 100_000 });
    const has = new Set(due.items.map(({ index }) => index));
    expect(promised.filter((index) => !has.has(index))).toEqual([]);
    const { shed, diskError } = await again.status();
    expect(diskError).toBeUndefined();
    expect(shed.business.records).toBe(refused);
    const told = due.items.flatMap(({ body }) =>
      'records' in body && body.priority === 'business' ? body.records : [],
    );
    expect(told.reduce((sum, one) => sum + one, 0)).toBe(refused);
    await again.close();
    expect((await verifyReceipts(folder)).faults).toEqual([]);
  },
);

test.skipIf(NO_MOUNTS !== undefined)(
  `verdicts that a full disk refuses together are all kept, in the room of a few pictures${NO_MOUNTS === undefined ? '' : ` (skipped: ${NO_MOUNTS})`}`,
  async () => {
    const disk = await smallDisk(160);
    const outbox = await openOutbox(path.join(disk.folder, 'outbox'));
    for (let one = 0; one < 100; one++) {
      const pictures = [pictureOf(`${one} `.padEnd(2 ** 20, '.'))];
      await outbox.record(resultOf(), { ...facts, pictures });
    }
    disk.fill();
    const given = Array.from({ length: 40 }, () => outbox.record(resultOf(), facts));
    const indexes = (await Promise.all(given)).map(({ index }) => index);
    expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
    const { due, shed } = await outbox.status();
    expect([due.business.records, shed.business.records]).toEqual([140, 0]);
    expect(shed.okPictures.records).toBeGreaterThan(0);
    expect(shed.okPictures.records).toBeLessThan(40); // 16 MiB at once
  },
);

test.skipIf(NO_MOUNTS !== undefined)(
  `what was delivered is taken down behind a batch that a full disk refuses${NO_MOUNTS === undefined ? '' : ` (skipped: ${NO_MOUNTS})`}`,
  async () => {
    const disk = await smallDisk(40);
    const outbox = await openOutbox(path.join(disk.folder, 'outbox'));
    await outbox.note('alarm', {});
    const { items } = await outbox.queue.due('records');
    disk.fill();
    const refused = outbox.note('health', { text: 'x'.repeat(100_000) });
    const failed = expect(refused).rejects.toMatchObject({ code: 'store_failed' });
    await setImmediate(); // its batch is on its way
    await outbox.queue.acknowledge(items);
    await failed;
    const { delivered, due } = await outbox.status();
    expect([delivered, due.health.records]).toEqual([1, 0]);
  },
);

test.skipIf(NO_MOUNTS !== undefined)(
  `what was lost on a full disk is counted also where the outbox is closed while it is full${NO_MOUNTS === undefined ? '' : ` (skipped: ${NO_MOUNTS})`}`,
  async () => {
    const disk = await smallDisk(40);
    const folder = path.join(disk.folder, 'outbox');
    const outbox = await openOutbox(folder);
    await outbox.record(resultOf(), facts);
    disk.fill();
    const large = { ...facts, parameters: { text: 'x'.repeat(200_000) } };
    for (let one = 0; one < 3; one++)
      await expect(outbox.record(resultOf(), large)).rejects.toMatchObject({ code: 'store_failed' });
    await outbox.close();
    await rm(path.join(disk.folder, 'filler'));
    const { shed } = await (await openOutbox(folder)).status();
    expect(shed.business.records).toBe(3);
  },
);

test.skipIf(NO_MOUNTS !== undefined)(
  `on a full disk verdicts that were delivered go before one that was not is lost${NO_MOUNTS === undefined ? '' : ` (skipped: ${NO_MOUNTS})`}`,
  async () => {
    const disk = await smallDisk(80);
    const outbox = await openOutbox(path.join(disk.folder, 'outbox'));
    for (let one = 0; one < 300; one++) {
      const text = randomBytes(60_000).toString('base64');
      await outbox.record(resultOf(), { ...facts, parameters: { text } });
    }
    const { items } = await outbox.queue.due('records', { limit: 1_000 });
    await outbox.queue.acknowledge(items);
    disk.fill();
    await outbox.record(resultOf(), { ...facts, parameters: { text: 'x'.repeat(200_000) } });
    const { due, shed, kept } = await outbox.status();
    expect([due.business.records, shed.business.records]).toEqual([1, 0]);
    expect(kept.records).toBeLessThan(300);
  },
);

test(
  '30 days without a network, past the bound: what is delivered then and what was given up is all there was',
  { timeout: 120_000 },
  async () => {
    let now = Date.UTC(2026, 0, 1);
    const outbox = await openOutbox(await temporaryFolder(), { maxBytes: 2 ** 20, now: () => now });
    const given = { verdicts: 0, ok: 0, ng: 0, logs: 0 };
    for (let day = 0; day < 30; day++) {
      for (let hour = 0; hour < 24; hour += 4) {
        now += DAY_MS / 6;
        await Promise.all(
          Array.from({ length: 6 }, async (_, part) => {
            const verdict = part === 0 ? 'NG' : 'OK';
            const pictures = [pictureOf(`${day} ${hour} ${part}`.padEnd(2_000, '.'))];
            await outbox.record(resultOf(verdict), { ...facts, stepIndex: part, pictures });
            given.verdicts++;
            given[verdict === 'NG' ? 'ng' : 'ok']++;
          }),
        );
        await outbox.note('log', { line: 'x'.repeat(200) });
        given.logs++;
      }
    }
    const { folder } = outbox;
    await outbox.close();
    const again = await openOutbox(folder, { maxBytes: 2 ** 20, now: () => now });
    const { due, shed, kept } = await again.status();
    expect(kept.bytes).toBeLessThanOrEqual(2 ** 20);
    expect(due.okPictures.records + shed.okPictures.records).toBe(given.ok);
    expect(due.ngPictures.records + shed.ngPictures.records).toBe(given.ng);
    expect(due.business.records + shed.business.records).toBe(given.verdicts);
    expect(due.diagnostics.records + shed.diagnostics.records).toBe(given.logs);
    // The share that was given up is the greater, the less important something is.
    const shares = [
      shed.okPictures.records / given.ok,
      shed.diagnostics.records / given.logs,
      shed.ngPictures.records / given.ng,
      shed.business.records / given.verdicts,
    ];
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    expect(due.business.records).toBeGreaterThan(0);
    const told: Record<string, number> = {};
    const seen: number[] = [];
    for (;;) {
      const { items } = await again.queue.due('records', { limit: 500 });
      if (items.length === 0) break;
      for (const { body, index, priority } of items) {
        if (priority === 'business') seen.push(index);
        if ('records' in body) told[body.priority] = (told[body.priority] ?? 0) + body.records;
      }
      await again.queue.acknowledge(items);
    }
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen).toHaveLength(due.business.records);
    for (const priority of ['okPictures', 'ngPictures', 'business', 'diagnostics'] as const) {
      expect(told[priority] ?? 0).toBe(shed[priority].records);
    }
    await again.close();
    expect((await verifyReceipts(folder)).faults).toEqual([]);
  },
);

test('the reserve is written once, and anew where it has no room', async () => {
  const folder = await temporaryFolder();
  const reserve = path.join(folder, 'reserve.bin');
  const reserveAfterOpen = async () => {
    await (await openOutbox(folder)).close();
    return stat(reserve);
  };
  const first = await reserveAfterOpen();
  expect((await reserveAfterOpen()).mtimeMs).toBe(first.mtimeMs);
  await truncate(reserve, 0);
  await truncate(reserve, first.size); // a file of holes
  expect((await reserveAfterOpen()).blocks).toBe(first.blocks);
});

test('what waits longer than its age is given up, and that is told', async () => {
  let now = Date.UTC(2026, 0, 1);
  const outbox = await openOutbox(await temporaryFolder(), { maxAgeDays: 2, now: () => now });
  await outbox.record(resultOf(), facts);
  now += 3 * DAY_MS;
  await outbox.note('health', {});
  await outbox.close();
  const again = await openOutbox(outbox.folder, { now: () => now });
  const { items } = await again.queue.due('records');
  expect(items.map(({ kind }) => kind)).toEqual(['health', 'shed']);
  expect(items[1]?.body).toMatchObject({ reason: 'age', priority: 'business', records: 1 });
  await again.close();
  // What tells of a loss stays until it is delivered, also where all around it goes by its age.
  now += 3 * DAY_MS;
  await (await openOutbox(outbox.folder, { maxAgeDays: 2, now: () => now })).close();
  const last = await openOutbox(outbox.folder, { now: () => now });
  const told = (await last.queue.due('records')).items;
  expect(told.map(({ body }) => body)).toMatchObject([
    { kind: 'shed', priority: 'business', records: 1 },
    { kind: 'shed', priority: 'health', records: 1 },
  ]);
  await last.queue.acknowledge(told);
  expect((await last.queue.due('records')).items).toEqual([]);
});

test('what a station records before its clock is set is not taken for decades old, and goes with the first that was recorded after that', async () => {
  let now = 60_000; // 1970: a battery that is empty
  const options = { maxAgeDays: 2, now: () => now };
  const outbox = await openOutbox(await temporaryFolder(), options);
  await outbox.record(resultOf(), facts);
  await outbox.record(resultOf(), facts);
  await outbox.close();
  const standsAt = async (time: number) => {
    now = time;
    await (await openOutbox(outbox.folder, options)).close(); // looks for what is too old
    const again = await openOutbox(outbox.folder, options);
    const { due, shedBy } = await again.status();
    return { waiting: due.business.records, tooOld: shedBy.age.records, again };
  };
  const set = await standsAt(Date.UTC(2026, 0, 1));
  expect(set).toMatchObject({ waiting: 2, tooOld: 0 });
  await set.again.record(resultOf(), facts);
  await set.again.close();
  const before = await standsAt(Date.UTC(2026, 0, 2));
  expect(before).toMatchObject({ waiting: 3, tooOld: 0 });
  await before.again.close();
  expect(await standsAt(Date.UTC(2026, 0, 4))).toMatchObject({ waiting: 0, tooOld: 3 });
});

test('what is too old is given up in steps of a 64th of the age, so that few records tell of it', async () => {
  const begin = Date.UTC(2026, 0, 1);
  let now = begin;
  const options = { maxAgeDays: 64, now: () => now };
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder, options);
  for (let hour = 0; hour < 24; hour++) {
    now = begin + (hour * DAY_MS) / 24;
    await outbox.record(resultOf(), facts);
  }
  await outbox.close();
  const standsAt = async (days: number) => {
    now = begin + days * DAY_MS;
    await (await openOutbox(folder, options)).close(); // looks for what is too old
    const again = await openOutbox(folder, options);
    const { due, shed } = await again.status();
    await again.close();
    return [due.business.records, shed.business.records, due.health.records];
  };
  expect(await standsAt(64.9)).toEqual([24, 0, 0]);
  expect(await standsAt(65.1)).toEqual([0, 24, 1]);
});
