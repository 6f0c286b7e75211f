import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deliver, Outbox, type Delivery, type DeliveryOptions } from '../../../src/outbox/index.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { Platform, type PlatformOptions } from '../../support/outbox/platform.js';
import { resultOf } from '../support.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** Retries come at once, so that no test waits for them. */
const QUICK = { leastBackoffMs: 1, mostBackoffMs: 5 };

interface Station {
  platform: Platform;
  outbox: Outbox;
  folder: string;
}

async function station(o: PlatformOptions = {}): Promise<Station> {
  const folder = await temporaryFolder();
  const platform = await Platform.start(o);
  const outbox = await Outbox.open(folder, { station: 'ws-1' });
  onTestFinished(async () => {
    await outbox.close();
    await platform.close();
  });
  return { platform, outbox, folder };
}

async function delivering({ outbox, platform }: Station, o: DeliveryOptions = {}): Promise<Delivery> {
  const delivery = await deliver(outbox, { http: { url: platform.url }, ...QUICK, ...o });
  onTestFinished(() => delivery.close());
  return delivery;
}

/** Records verdicts; those with a picture have one. */
async function record(
  outbox: Outbox,
  count: number,
  pictureOf?: (number: number) => Uint8Array[] | undefined,
): Promise<string[]> {
  const receipts = [];
  for (let number = 0; number < count; number++) {
    const files = pictureOf?.(number) ?? [];
    const pictures = files.map((encoded, at) => ({
      ...{ encoded, contentType: 'image/jpeg', width: 64, height: 48 },
      type: at === 0 ? ('ng_image' as const) : ('roi_crop' as const),
    }));
    receipts.push(outbox.record(resultOf('NG'), { productId: 'A01', stepIndex: 1, pictures }));
  }
  // In the order of the log: a verdict waits for the files of its pictures.
  return (await Promise.all(receipts)).sort((a, b) => a.index - b.index).map(({ ingestId }) => ingestId);
}

async function exportedIds(folder: string): Promise<string[]> {
  const files = await readdir(path.join(folder, 'records', 'ws-1'));
  const texts = await Promise.all(
    files.map((file) => readFile(path.join(folder, 'records', 'ws-1', file), 'utf8')),
  );
  const lines = texts.flatMap((text) => text.trimEnd().split('\n'));
  return lines.map((line) => (JSON.parse(line) as { ingest_id: string }).ingest_id);
}

/** 100 verdicts, those with these numbers of a step that the platform has trouble with. */
async function recordWithBad(outbox: Outbox, bad: readonly number[]): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < 100; number++) {
    const stepIndex = bad.includes(number) ? 66 : 1;
    ids.push((await outbox.record(resultOf('OK'), { productId: 'A01', stepIndex })).ingestId);
  }
  return ids;
}

const waiting = async (outbox: Outbox) =>
  Object.values((await outbox.status()).due).reduce((sum, { records }) => sum + records, 0);

describe('delivery', () => {
  test('every record and picture comes once, records in their order and in full batches', async () => {
    const at = await station();
    const ids = await record(at.outbox, 250, (number) => (number % 50 === 0 ? [randomBytes(2_000)] : []));
    await delivering(at);
    await expect.poll(() => waiting(at.outbox)).toBe(0);
    expect([...at.platform.records.keys()]).toEqual(ids);
    expect(at.platform.batches.map(({ records }) => records)).toEqual([100, 100, 50]);
    expect(at.platform.artifacts.size).toBe(5);
    expect([at.platform.repeated, at.platform.violations]).toEqual([0, []]);
  });

  test('faults of every kind at random: none lost, none doubled, the order kept', async () => {
    const faults = [
      ...[{ status: 500 }, { status: 401 }, { status: 429, headers: { 'retry-after': '0' } }],
      ...(['reset', 'lostAnswer', 'wrongJson'] as const),
    ];
    const chosen = fc.sample(fc.option(fc.constantFrom(...faults), { nil: undefined, freq: 1 }), 100);
    let call = 0;
    const at = await station({ fault: () => chosen[call++ % chosen.length] });
    const ids = await record(at.outbox, 1_000, (number) => (number % 100 === 0 ? [randomBytes(50_000)] : []));
    await delivering(at);
    await expect.poll(() => waiting(at.outbox), { timeout: 30_000 }).toBe(0);
    expect([...at.platform.records.keys()]).toEqual(ids);
    expect(at.platform.artifacts.size).toBe(10);
    expect(at.platform.violations).toEqual([]);
    expect((await at.outbox.status()).aside).toBe(0);
  });

  test('poison records are found one by one and set aside with what was said; the others arrive in order', async () => {
    const at = await station({ isPoison: ({ step_index: step }) => step === 66 });
    const ids = await recordWithBad(at.outbox, [17, 80]);
    const delivery = await delivering(at);
    await expect.poll(() => waiting(at.outbox)).toBe(0);
    expect([...at.platform.records.keys()]).toEqual(
      ids.filter((_, number) => number !== 17 && number !== 80),
    );
    const aside = await at.outbox.queue.aside();
    expect(aside.map(({ ingestId }) => ingestId)).toEqual([ids[17], ids[80]]);
    expect(aside[0]?.reason).toContain('422: {"message": "a record cannot be"}');
    expect(await delivery.status()).toMatchObject({ network: 'up', refused: 2 });
    expect(at.platform.repeated).toBe(0);
  });

  test.each([
    ['one after the other', [17, 80], 0],
    ['next to each other, at the front', [0, 1, 2], 0],
    ['the last of the batch, once others come that prove it', [98, 99], 2],
  ])(
    'records over which the platform stumbles each time are found and set aside, %s; the rest arrives',
    async (_, bad, unproven) => {
      const at = await station({ stumblesOver: ({ step_index: step }) => step === 66 });
      const ids = await recordWithBad(at.outbox, bad);
      const delivery = await delivering(at);
      for (let left = unproven; ; left--) {
        await expect.poll(() => waiting(at.outbox), { timeout: 30_000 }).toBe(left);
        if (left === 0) break;
        ids.push(...(await record(at.outbox, 1)));
      }
      const isBad = (id: string) => bad.some((number) => ids[number] === id);
      expect([...at.platform.records.keys()].sort()).toEqual(ids.filter((id) => !isBad(id)).sort());
      const aside = await at.outbox.queue.aside();
      expect(aside.map(({ ingestId }) => ingestId)).toEqual(bad.map((number) => ids[number]));
      expect(aside[0]?.reason).toContain('takes the records around it');
      expect(aside[0]?.reason).toContain('500: Internal Server Error');
      expect(await delivery.status()).toMatchObject({ network: 'up', refused: bad.length });
      expect(at.platform.repeated).toBe(0);
    },
  );

  test('a record over which the platform stumbles is not set aside while nothing is behind it that would prove it', async () => {
    const at = await station({ stumblesOver: ({ step_index: step }) => step === 66 });
    await at.outbox.record(resultOf('OK'), { productId: 'A01', stepIndex: 66 });
    const delivery = await delivering(at);
    await expect.poll(async () => (await delivery.status()).failures).toBeGreaterThan(12);
    expect([(await at.outbox.status()).aside, await waiting(at.outbox)]).toEqual([0, 1]);
    const [id] = await record(at.outbox, 1);
    await expect.poll(() => waiting(at.outbox), { timeout: 30_000 }).toBe(0);
    expect([...at.platform.records.keys()]).toEqual([id]);
    expect((await at.outbox.status()).aside).toBe(1);
  });

  test('a platform that answers everything with 500 for long gets everything in order when it is mended, and nothing is set aside', async () => {
    let isDown = true;
    let isAtRepair = false;
    let oldest = '';
    const at = await station({
      stumblesOver: ({ ingest_id: id }) => {
        // It is mended as the oldest record comes: one of the others that it is tried with would pass that (docs/outbox.md).
        if (isAtRepair && id === oldest) isDown = false;
        return isDown;
      },
    });
    const ids = await record(at.outbox, 150);
    oldest = ids[0] ?? '';
    const delivery = await delivering(at);
    await expect.poll(async () => (await delivery.status()).failures).toBeGreaterThan(60);
    isAtRepair = true;
    await expect.poll(() => waiting(at.outbox), { timeout: 30_000 }).toBe(0);
    expect([...at.platform.records.keys()]).toEqual(ids);
    expect(await delivery.status()).toMatchObject({ refused: 0 });
  });

  test('what was refused goes again by retry with aside, after the platform was mended', async () => {
    let isMended = false;
    const at = await station({ isPoison: () => !isMended });
    const ids = await record(at.outbox, 3);
    const delivery = await delivering(at);
    await expect.poll(async () => (await at.outbox.status()).aside).toBe(3);
    isMended = true;
    await delivery.retry();
    expect(at.platform.records.size).toBe(0);
    await delivery.retry({ aside: true });
    await expect.poll(() => [...at.platform.records.keys()]).toEqual(ids);
  });

  test('a batch that is not full is closed after a second', async () => {
    const at = await station();
    const clock = new VirtualClock();
    await record(at.outbox, 3);
    await delivering(at, { clock });
    await expect.poll(() => clock.pending).toBeGreaterThan(0);
    for (let ms = 0; ms < 900; ms += 100) {
      clock.advance(100);
      await expect.poll(() => clock.pending).toBeGreaterThan(0);
    }
    expect(at.platform.calls.logs).toBe(0);
    clock.advance(100);
    await expect.poll(() => at.platform.records.size).toBe(3);
    expect(at.platform.batches).toHaveLength(1);
  });

  test('a batch is closed at 256 KB', async () => {
    const at = await station();
    for (let number = 0; number < 10; number++) await at.outbox.note('log', { text: 'x'.repeat(60_000) });
    await delivering(at);
    await expect.poll(() => at.platform.records.size).toBe(10);
    expect(at.platform.batches.map(({ records }) => records)).toEqual([4, 4, 2]);
    expect(at.platform.violations).toEqual([]);
  });

  test('a record past 256 KB is set aside: no batch takes it', async () => {
    const at = await station();
    await at.outbox.note('log', { text: 'x'.repeat(300_000) });
    await at.outbox.note('log', { text: 'short' });
    await delivering(at);
    await expect.poll(() => at.platform.records.size).toBe(1);
    expect((await at.outbox.queue.aside())[0]?.reason).toMatch(/has 300\d{3} bytes/);
  });

  test('health and alarms go before business records, and these before diagnostics', async () => {
    const at = await station();
    await at.outbox.note('log', { text: 'first' });
    await record(at.outbox, 2);
    await at.outbox.note('alarm', { text: 'third' });
    await delivering(at);
    await expect.poll(() => at.platform.records.size).toBe(4);
    const kinds = [...at.platform.records.values()].map(({ kind = 'verdict' }) => kind);
    expect(kinds).toEqual(['alarm', 'verdict', 'verdict', 'log']);
  });

  test.each([
    ['pictures do not wait for logs that hang', 'logs', (platform: Platform) => platform.artifacts.size],
    ['logs do not wait for a picture that hangs', 'put', (platform: Platform) => platform.records.size],
  ])('%s', async (_, hanging, count) => {
    const at = await station({ fault: (route) => (route === hanging ? 'hang' : undefined) });
    await record(at.outbox, 3, () => [randomBytes(1_000)]);
    await delivering(at);
    await expect.poll(() => count(at.platform)).toBe(3);
  });

  test('a platform that hangs is given up after the time of the attempt, and tried again', async () => {
    const at = await station({ fault: (_, call) => (call === 1 ? 'hang' : undefined) });
    await record(at.outbox, 1);
    const delivery = await delivering(at, { attemptMs: 50 });
    await expect.poll(() => at.platform.records.size).toBe(1);
    await expect
      .poll(() => delivery.status())
      .toMatchObject({
        network: 'up',
        failures: 1,
        lastFault: { cause: 'network' },
      });
  });

  test('paused and resumed at the same time, it goes on after a restart too: the last word counts', async () => {
    const at = await station();
    const delivery = await delivering(at);
    for (let round = 0; round < 20; round++) {
      await Promise.all([delivery.pause(), delivery.resume()]);
      const kept: unknown = JSON.parse(await readFile(path.join(at.outbox.folder, 'delivery.json'), 'utf8'));
      expect(kept).toEqual({ paused: false });
    }
  });

  test('paused, nothing is sent, after a restart too; resumed, all', async () => {
    const at = await station();
    const delivery = await delivering(at);
    await delivery.pause();
    await record(at.outbox, 2);
    await delivery.close();
    const again = await delivering(at);
    expect(await again.status()).toMatchObject({ state: 'paused' });
    expect(at.platform.requests).toEqual([]);
    await again.resume();
    await expect.poll(() => at.platform.records.size).toBe(2);
    // The platform has them before its answer is here.
    await expect.poll(() => again.status()).toMatchObject({ state: 'running', network: 'up' });
  });

  test('a long delay ends by retry', async () => {
    let isBroken = true;
    const at = await station({ fault: () => (isBroken ? { status: 503 } : undefined) });
    await record(at.outbox, 1);
    const delivery = await delivering(at, { leastBackoffMs: 3_600_000, mostBackoffMs: 3_600_000 });
    await expect.poll(async () => (await delivery.status()).retryAt).toBeGreaterThan(Date.now() + 1_000_000);
    isBroken = false;
    await delivery.retry();
    await expect.poll(() => at.platform.records.size).toBe(1);
  });

  test('a clock that is put back an hour during a delay makes the retry no later', async () => {
    let isBroken = true;
    let offset = 0;
    const clock = new VirtualClock();
    const at = await station({ fault: () => (isBroken ? { status: 503 } : undefined) });
    await at.outbox.note('alarm', {});
    const now = () => Date.now() + offset;
    const delay = { leastBackoffMs: 600_000, mostBackoffMs: 600_000 };
    const delivery = await delivering(at, { ...delay, clock, now });
    await expect.poll(async () => (await delivery.status()).retryAt).toBeGreaterThan(Date.now());
    isBroken = false;
    offset = -3_600_000;
    await expect
      .poll(() => (clock.advance(60_000), at.platform.records.size), { interval: 20, timeout: 10_000 })
      .toBe(1);
  });

  test('other settings are in force at once: what was under way goes to the new address', async () => {
    const at = await station();
    const dead = createServer().listen(0, '127.0.0.1');
    await once(dead, 'listening');
    onTestFinished(() => void dead.close());
    const { port } = dead.address() as { port: number };
    await record(at.outbox, 5, () => [randomBytes(100)]);
    const delivery = await delivering(at, { http: { url: `http://127.0.0.1:${port}` } });
    await expect(delivery.configure({ http: { url: 'http://plain.example' } })).rejects.toThrow(/https:/);
    await delivery.configure({ http: { url: at.platform.url }, ...QUICK });
    await expect.poll(() => waiting(at.outbox)).toBe(0);
    expect([at.platform.records.size, at.platform.artifacts.size]).toEqual([5, 5]);
    expect((await delivery.status()).to).toBe(at.platform.url);
  });

  test('past the threshold small pictures go before whole ones; these are filled in later', async () => {
    const at = await station();
    await record(at.outbox, 5, () => [randomBytes(4_000), randomBytes(40)]);
    await delivering(at, { degradeAbove: 8 });
    await expect.poll(() => at.platform.artifacts.size).toBe(10);
    const types = [...at.platform.artifacts.values()].map(({ artifact }) => artifact.type);
    expect(types.slice(0, 4)).toEqual(Array(4).fill('roi_crop'));
    expect(types.filter((type) => type === 'ng_image')).toHaveLength(5);
  });

  test('past the threshold thumbnails go before whole pictures', async () => {
    const at = await station();
    const pictures = [2_000, 40].map((size, at) => ({
      ...{ encoded: randomBytes(size), contentType: 'image/jpeg', width: 64, height: 48 },
      ...(at === 1 && { isThumbnail: true }),
    }));
    for (let one = 0; one < 3; one++) {
      await at.outbox.record(resultOf('NG'), { productId: 'A01', stepIndex: 1, pictures });
    }
    await delivering(at, { degradeAbove: 6 });
    await expect.poll(() => at.platform.artifacts.size).toBe(6);
    const sizes = [...at.platform.artifacts.values()].map(({ bytes }) => bytes);
    expect(sizes.slice(0, 3)).toEqual([40, 40, 40]);
  });

  test('a picture that was damaged or lost on the disk is set aside, and never sent whole', async () => {
    const at = await station();
    const pictures = [randomBytes(3_000), randomBytes(3_000), randomBytes(3_000)];
    await record(at.outbox, 3, (number) => [pictures[number] ?? randomBytes(1)]);
    const { items } = await at.outbox.queue.due('pictures');
    const [damaged = '', lost = ''] = items.map(({ picture }) => picture?.file);
    await writeFile(damaged, randomBytes(3_000));
    await rm(lost);
    await delivering(at);
    await expect.poll(async () => (await at.outbox.status()).aside).toBe(2);
    await expect.poll(() => at.platform.artifacts.size).toBe(1);
    const reasons = (await at.outbox.queue.aside()).map(({ reason }) => reason);
    expect(reasons).toEqual([expect.stringMatching(/digest differs/), expect.stringMatching(/is gone/)]);
  });

  test('the limit of bandwidth holds for all uploads together', async () => {
    const at = await station();
    const clock = new VirtualClock();
    await record(at.outbox, 4, () => [randomBytes(100_000)]);
    await delivering(at, { clock, maxBytesPerSecond: 50_000 });
    // 400 kB at 50 kB/s take 8 s: before 7 s not all of them can be there.
    for (let ms = 0; ms < 7_000; ms += 50) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(at.platform.artifacts.size).toBeLessThan(4);
    await expect
      .poll(() => (clock.advance(100), at.platform.artifacts.size), { interval: 5, timeout: 20_000 })
      .toBe(4);
  });

  test('an export has what waits and what was refused, and takes nothing away', async () => {
    const at = await station({ isPoison: () => true });
    const ids = await record(at.outbox, 3, (number) => (number === 0 ? [randomBytes(100)] : []));
    const delivery = await delivering(at);
    await expect.poll(async () => (await at.outbox.status()).aside).toBe(3);
    await delivery.pause();
    const more = await record(at.outbox, 2, () => [randomBytes(200)]);
    const stick = path.join(await temporaryFolder(), 'stick');
    const report = await delivery.export(stick);
    expect(report).toEqual({ folder: stick, records: 5, pictures: 2, missing: 0 });
    expect((await exportedIds(stick)).sort()).toEqual([...ids, ...more].sort());
    expect(await waiting(at.outbox)).toBe(4);
  });

  test.each(['', 'pictures', 'records/stick'])(
    'an export to the folder "%s" of the outbox is refused, and so is a delivery to it',
    async (inside) => {
      const at = await station();
      await record(at.outbox, 1);
      const delivery = await delivering(at, { paused: true });
      const folder = path.join(at.folder, inside);
      const refused = { code: 'invalid_params' };
      await expect(delivery.export(folder)).rejects.toMatchObject(refused);
      await expect(delivery.configure({ folder })).rejects.toMatchObject(refused);
      await expect(deliver(at.outbox, { folder })).rejects.toMatchObject(refused);
      expect((await delivery.status()).to).toBe(at.platform.url);
    },
  );

  test('of more than 1,000 that are refused the oldest are given up, and told to the platform', async () => {
    const at = await station();
    const receipts = await Promise.all(
      Array.from({ length: 1_003 }, () => at.outbox.record(resultOf(), { productId: 'A01', stepIndex: 1 })),
    );
    for (const { index } of receipts) {
      await at.outbox.queue.setAside({ index, priority: 'business' }, 'no such step');
    }
    const { aside, shed } = await at.outbox.status();
    expect([aside, shed.business.records]).toEqual([1_000, 3]);
    const told = (await at.outbox.queue.due('records')).items.map(({ body }) => body);
    const one = { kind: 'shed', reason: 'full', priority: 'business', records: 1 };
    expect(told).toMatchObject([one, one, one]);
  });

  test('closed, its calls say so', async () => {
    const at = await station();
    const delivery = await delivering(at);
    await delivery.close();
    await expect(delivery.pause()).rejects.toMatchObject({ code: 'closed' });
    expect(await delivery.status()).toMatchObject({ state: 'closed' });
  });

  test.each([
    ['no receiver', {}, /none is given/],
    ['two receivers', { folder: 'a', s3: { bucket: 'b' } }, /s3 and folder are given/],
    ['a bad address', { http: { url: 'http://plain.example' } }, /https:/],
    ['an unknown option', { htpp: { url: 'x' } } as DeliveryOptions, /Did you mean http/],
  ])('%s is refused before anything happens', async (_, o, message) => {
    const at = await station();
    await expect(deliver(at.outbox, o)).rejects.toThrow(message);
  });
});
