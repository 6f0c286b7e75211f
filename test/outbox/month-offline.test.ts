import { rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { deliver, verifyReceipts, type Outbox } from '../../src/outbox/index.js';
import { NO_MOUNTS, smallDisk } from '../support/mounts.js';
import { Platform } from '../support/outbox/platform.js';
import { openOutbox, pictureOf, resultOf } from './support.js';

const DAY_MS = 86_400_000;
const TICKS_A_DAY = 6;
const VERDICTS = Number(process.env.OUTBOX_MONTH_VERDICTS ?? '6');
const DAYS = 30;
/** Days on which something else fills the disk to the last byte. */
const FULL_DAYS = [9, 10, 21];
const RESTART_DAY = 15;
const PICTURE_BYTES = 12_000;
/** About half of what comes in a month. */
const MAX_BYTES = VERDICTS * 600_000;
const DISK_MIB = 24 + Math.ceil((2 * MAX_BYTES) / 2 ** 20);

/** What a station has seen, and what it was promised. */
interface Seen {
  verdicts: number;
  pictures: number;
  logs: number;
  health: number;
  /** Ids by their places. */
  promised: Map<number, string>;
}

async function see(outbox: Outbox, seen: Seen, day: number, tick: number): Promise<void> {
  const verdicts = Array.from({ length: VERDICTS }, async (_, part) => {
    const isNg = part % 3 === 0;
    const picture = pictureOf(`${day} ${tick} ${part}`.padEnd(PICTURE_BYTES, '.'));
    seen.verdicts++;
    if (isNg) seen.pictures++;
    return outbox.record(resultOf(isNg ? 'NG' : 'OK'), {
      ...{ productId: 'A01', stepIndex: part, sessionId: `s${day}` },
      ...(isNg && { pictures: [picture] }),
    });
  });
  seen.logs++;
  seen.health++;
  const notes = [outbox.note('log', { day, line: 'x'.repeat(200) }), outbox.note('health', { day })];
  for (const outcome of await Promise.allSettled([...verdicts, ...notes])) {
    if (outcome.status === 'fulfilled') seen.promised.set(outcome.value.index, outcome.value.ingestId);
    else expect(outcome.reason).toMatchObject({ code: 'store_failed' });
  }
}

test.skipIf(NO_MOUNTS !== undefined)(
  `a month without a line, past the bound and with a disk that is full for days: what the platform gets then, once and in order, and what was given up is all there was${NO_MOUNTS === undefined ? '' : ` (skipped: ${NO_MOUNTS})`}`,
  { timeout: 3_600_000 },
  async () => {
    let now = Date.UTC(2026, 0, 1);
    let isOffline = true;
    const platform = await Platform.start({ fault: () => (isOffline ? 'reset' : undefined) });
    onTestFinished(() => platform.close());
    const disk = await smallDisk(DISK_MIB);
    const folder = path.join(disk.folder, 'outbox');
    const open = async () => {
      const outbox = await openOutbox(folder, { maxBytes: MAX_BYTES, maxAgeDays: 60, now: () => now });
      const http = { url: platform.url };
      const delivery = await deliver(outbox, {
        http,
        now: () => now,
        leastBackoffMs: 20,
        mostBackoffMs: 200,
      });
      onTestFinished(() => delivery.close());
      const close = async () => {
        await delivery.close();
        await outbox.close();
      };
      return { outbox, close };
    };
    let station = await open();
    const seen: Seen = { verdicts: 0, pictures: 0, logs: 0, health: 0, promised: new Map() };
    const refusedOnFullDays = { records: 0 };
    for (let day = 0; day < DAYS; day++) {
      const isFull = FULL_DAYS.includes(day);
      if (day === RESTART_DAY) {
        await station.close();
        station = await open();
      }
      for (let tick = 0; tick < TICKS_A_DAY; tick++) {
        now += DAY_MS / TICKS_A_DAY;
        if (isFull) disk.fill();
        const before = seen.promised.size;
        // A write whose outcome is not known waits until the disk can be read again, which takes room.
        const room = setTimeout(() => void rm(path.join(disk.folder, 'filler'), { force: true }), 2_000);
        await see(station.outbox, seen, day, tick);
        clearTimeout(room);
        if (isFull) refusedOnFullDays.records += VERDICTS + 2 - (seen.promised.size - before);
      }
      if (!isFull || FULL_DAYS.includes(day + 1)) continue;
      await rm(path.join(disk.folder, 'filler'), { force: true });
      await vi.waitFor(
        async () => {
          const before = seen.promised.size;
          await see(station.outbox, seen, day, TICKS_A_DAY);
          expect(seen.promised.size).toBeGreaterThan(before);
        },
        { timeout: 30_000, interval: 200 },
      );
    }
    expect(refusedOnFullDays.records).toBeGreaterThan(0);
    isOffline = false;
    await vi.waitFor(
      async () => {
        now += 1_000; // past each delay
        const { due } = await station.outbox.status();
        expect(Object.values(due).reduce((sum, { records }) => sum + records, 0)).toBe(0);
      },
      { timeout: 60_000 + VERDICTS * 5_000, interval: 200 },
    );
    const { shed, aside } = await station.outbox.status();
    await station.close();

    expect(platform.violations).toEqual([]);
    expect(platform.repeated).toBe(0);
    expect(aside).toBe(0);
    const records = [...platform.records.values()];
    const verdicts = records.filter((record) => !('kind' in record));
    const count = (kind: string) => records.filter((record) => record.kind === kind).length;
    expect(verdicts.length + shed.business.records).toBe(seen.verdicts);
    expect(platform.artifacts.size + shed.ngPictures.records).toBe(seen.pictures);
    expect(count('log') + shed.diagnostics.records).toBe(seen.logs);
    expect(count('health') + shed.health.records).toBe(seen.health);
    // Some of each was given up, and the platform was told of all of it.
    expect(shed.ngPictures.records).toBeGreaterThan(0);
    for (const priority of ['business', 'ngPictures', 'diagnostics', 'health'] as const) {
      const told = records.filter((record) => record.kind === 'shed' && record.priority === priority);
      expect([priority, told.reduce((sum, one) => sum + Number(one.records), 0)]).toEqual([
        priority,
        shed[priority].records,
      ]);
    }
    // The verdicts that the platform has came in the order of the log, and each was promised.
    const places = new Map([...seen.promised].map(([index, id]) => [id, index]));
    const order = verdicts.map(({ ingest_id }) => places.get(String(ingest_id)) ?? -1);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order).not.toContain(-1);
    expect((await verifyReceipts(folder)).faults).toEqual([]);
  },
);
