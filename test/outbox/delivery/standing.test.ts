import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { deliver, type DeliveryOptions } from '../../../src/outbox/index.js';
import { Platform, type PlatformOptions } from '../../support/outbox/platform.js';
import { temporaryFolder } from '../../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from '../support.js';

/** How a delivery says that it stands, and what its settings are. */
async function station(o: PlatformOptions = {}, settings: DeliveryOptions = {}) {
  const platform = await Platform.start(o);
  const outbox = await openOutbox(await temporaryFolder());
  const delivery = await deliver(outbox, {
    http: { url: platform.url },
    ...{ leastBackoffMs: 1, mostBackoffMs: 5, ...settings },
  });
  onTestFinished(async () => {
    await delivery.close();
    await platform.close();
  });
  return { platform, outbox, delivery };
}

test('a failure has the time when it was over, once the platform answers again', async () => {
  let isBroken = true;
  const { outbox, delivery } = await station({ fault: () => (isBroken ? { status: 401 } : undefined) });
  await outbox.record(resultOf(), facts);
  await expect.poll(async () => (await delivery.status()).network).toBe('credentials');
  const during = await delivery.status();
  expect(during.lastFault).toMatchObject({ cause: 'credentials', lane: 'records' });
  expect(during.lastFault).not.toHaveProperty('endedAt');
  isBroken = false;
  await expect.poll(async () => (await delivery.status()).network).toBe('up');
  const { lastFault, startedAt } = await delivery.status();
  expect(lastFault?.endedAt).toBeGreaterThanOrEqual(lastFault?.at ?? Infinity);
  expect(startedAt).toBeLessThanOrEqual(lastFault?.at ?? 0);
});

test('a fault of pictures is over when none waits any more, also where the last was given up and never sent', async () => {
  const { outbox, delivery } = await station({
    fault: (route) => (route === 'presign' ? { status: 403 } : undefined),
  });
  await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf('one')] });
  await expect.poll(async () => (await delivery.status()).network).toBe('credentials');
  await delivery.pause();
  const { items } = await outbox.queue.due('pictures');
  await outbox.queue.setAside(items[0] ?? { index: -1, priority: 'ngPictures' }, 'by a person');
  await delivery.resume();
  await expect.poll(async () => (await delivery.status()).network).toBe('up');
  expect((await delivery.status()).lastFault).toHaveProperty('endedAt');
});

test('a second delivery of an outbox is refused, also where both begin at once; after the first is closed it begins', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const folder = path.join(await temporaryFolder(), 'receiver');
  const both = await Promise.allSettled([deliver(outbox, { folder }), deliver(outbox, { folder })]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(both[1]).toMatchObject({
    reason: {
      code: 'invalid_params',
      message: expect.stringMatching(/delivered already.*configure/) as string,
    },
  });
  const [first] = both;
  if (first.status === 'fulfilled') await first.value.close();
  const again = await deliver(outbox, { folder });
  await again.close();
});

test('a delivery that cannot begin does not keep the outbox from another', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  await expect(deliver(outbox, { http: { url: 'http://plain.example' } })).rejects.toThrow(/https:/);
  const delivery = await deliver(outbox, { folder: path.join(await temporaryFolder(), 'receiver') });
  await delivery.close();
});

test('settings without a receiver change what they name and keep the rest; with a receiver they replace all', async () => {
  const { outbox, platform, delivery } = await station({}, { degradeAbove: 2 });
  await delivery.pause();
  for (let one = 0; one < 3; one++) await outbox.record(resultOf(), facts);
  expect(await delivery.status()).toMatchObject({ isDegraded: true });
  await delivery.configure({ maxBytesPerSecond: 5_000 });
  expect(await delivery.status()).toMatchObject({ to: platform.url, isDegraded: true });
  await delivery.configure({ degradeAbove: undefined, http: undefined });
  expect(await delivery.status()).toMatchObject({ to: platform.url, isDegraded: false });
  await delivery.configure({ degradeAbove: 2 });
  await delivery.configure({ folder: path.join(await temporaryFolder(), 'receiver') });
  expect(await delivery.status()).toMatchObject({ isDegraded: false });
  await delivery.resume();
  await expect.poll(async () => (await delivery.status()).sent.records).toBe(3);
  expect(platform.records.size).toBe(0);
});

test('between two pictures nothing is read that a status reads', async () => {
  const { outbox, delivery } = await station({}, { paused: true });
  for (let one = 0; one < 20; one++)
    await outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf(`picture ${one}`)] });
  let looks = 0;
  const status = outbox.status.bind(outbox);
  outbox.status = () => {
    looks++;
    return status();
  };
  await delivery.resume();
  await expect.poll(async () => (await delivery.status()).sent.pictures).toBe(20);
  expect(looks).toBe(0);
});
