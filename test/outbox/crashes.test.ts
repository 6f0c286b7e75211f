import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { verifyReceipts } from '../../src/outbox/index.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { bundledScript } from '../support/bundled-script.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';

/** Runs the host; kills it this long after it is ready, or lets it deliver everything. */
async function runHost(folder: string, every: number, killAfterMs?: number): Promise<void> {
  const drain = killAfterMs === undefined ? ['drain'] : [];
  const host = await bundledScript('../outbox/crash-host.ts');
  const child = spawn(process.execPath, [host, folder, String(every), ...drain], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  await Promise.race([once(child.stdout, 'data'), ended]);
  if (killAfterMs !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    child.kill('SIGKILL');
  }
  const [code, signal] = await ended;
  expect([code, signal]).toEqual(killAfterMs === undefined ? [0, null] : [null, 'SIGKILL']);
}

async function linesOf(file: string): Promise<string[][]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '));
}

test(
  'hosts that are killed at random moments lose no promised record, double none at the receiver, and keep the order',
  { timeout: 36_000_000 },
  async () => {
    const kills = Number(process.env.OUTBOX_KILLS ?? '6');
    const most = Number(process.env.OUTBOX_RECORDS ?? '0');
    // Many records: a picture is two files' worth of waiting for the disk.
    const [longestMs, every] = most > 0 ? [150, 25] : [400, 4];
    const folder = await temporaryFolder();
    let logged = 0;
    let killed = 0;
    for (; killed < kills || logged < most; killed++) {
      await runHost(folder, every, Math.random() * longestMs);
      if (killed % 100 === 0 && most > 0) ({ logged } = await verifyReceipts(path.join(folder, 'outbox')));
    }
    await runHost(folder, every);
    const received = await linesOf(path.join(folder, 'received'));
    const promised = await linesOf(path.join(folder, 'promised'));
    expect(promised.length).toBeGreaterThan(0);
    const ids = received.map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const has = new Set(ids);
    expect(promised.filter(([, id]) => !has.has(id)).slice(0, 5)).toEqual([]);
    for (const priority of ['business', 'health', 'diagnostics']) {
      const indexes = received.filter((line) => line[2] === priority).map(([index]) => Number(index));
      expect(indexes.filter((index, at) => index < (indexes[at - 1] ?? -1))).toEqual([]);
    }
    const report = await verifyReceipts(path.join(folder, 'outbox'));
    expect(report.faults).toEqual([]);
    if (most > 0)
      process.stdout.write(`${killed} kills, ${promised.length} promised, ${report.logged} logged\n`);
  },
);

test(
  'a power cut at any byte of the log leaves every promised record, whole batches, and a tree that fits',
  { timeout: 120_000 },
  async () => {
    const folder = await temporaryFolder();
    const outbox = await openOutbox(folder);
    const log = await logOf(folder);
    const promises: { bytes: number; next: number }[] = [];
    for (let one = 0; one < 8; one++) {
      await Promise.all([outbox.note('alarm', { one }), outbox.note('log', { one })]);
      if (one === 4) await outbox.queue.acknowledge((await outbox.queue.due('records')).items.slice(0, 3));
      promises.push({ bytes: (await stat(log)).size, next: outbox.head()?.size ?? 0 });
    }
    // The disk may have less than what was written, never less than what was synced.
    const end = promises.at(-1)?.bytes ?? 0;
    const copies = await temporaryFolder();
    for (let bytes = promises[0]?.bytes ?? 0, cut = 0; bytes <= end; bytes += 331, cut++) {
      const copy = path.join(copies, String(cut));
      await mkdir(copy);
      // The lock of the store cannot be read on Windows while it is open; it is made again.
      const filter = (from: string) => path.basename(from) !== 'LOCK';
      await cp(path.join(folder, 'records'), path.join(copy, 'records'), { recursive: true, filter });
      await cp(path.join(folder, 'keys'), path.join(copy, 'keys'), { recursive: true });
      await truncate(path.join(copy, 'records', path.basename(log)), bytes);
      const least = promises.filter((promise) => promise.bytes <= bytes).at(-1)?.next ?? 0;
      const report = await verifyReceipts(copy);
      expect(report.faults).toEqual([]);
      expect(report.logged).toBeGreaterThanOrEqual(least);
      expect(report.logged % 2).toBe(0); // both of a batch, or none
    }
  },
);

async function logOf(folder: string): Promise<string> {
  const names = await readdir(path.join(folder, 'records'));
  return path.join(
    folder,
    'records',
    names
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1) ?? '',
  );
}

test('a step of writing a picture that fails loses the picture at most, and that is counted', async () => {
  const folder = await temporaryFolder();
  const outbox = await openOutbox(folder);
  const record = (name: string) => outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf(name)] });
  const counted = watchFileSteps(folder, { mode: 'count' });
  await record('first');
  counted[Symbol.dispose]();
  expect(counted.count).toBeGreaterThan(3);
  for (const code of ['ENOSPC', 'EIO'] as const) {
    for (let at = 1; at <= counted.count; at++) {
      const watch = watchFileSteps(folder, { mode: 'fail', at, code });
      await record(`${code} ${at}`);
      watch[Symbol.dispose]();
    }
  }
  await outbox.close();
  const again = await openOutbox(folder);
  const { due, shed } = await again.status();
  const all = 1 + 2 * counted.count;
  expect(due.business.records).toBe(all);
  expect(due.ngPictures.records + shed.ngPictures.records).toBe(all);
  expect(shed.ngPictures.records).toBeGreaterThan(0);
  await again.close();
  expect((await verifyReceipts(folder)).faults).toEqual([]);
});
