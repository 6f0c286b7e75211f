import { createReadStream } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { PNG } from 'pngjs';
import jpeg from 'jpeg-js';
import { FramePool } from '../../src/index.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployStore } from '../support/deploy-store.js';

/** More than the ten listeners that Node takes for a leak. */
const MANY = 14;

test.each([
  ['without a signal', undefined],
  ['with one signal for all', new AbortController().signal],
])('more than ten operations at once, %s, print no warning of Node’s', async (_, signal) => {
  const printed: string[] = [];
  const note = ({ name, message }: Error) => printed.push(`${name}: ${message}`);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const many = (work: (n: number) => Promise<unknown>) =>
    Promise.allSettled(Array.from({ length: MANY }, (_item, n) => work(n)));

  await using store = await TemporaryStore.open();
  await store.deploy({ worker: new FakeWorker() });
  await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const supervisor = store.supervise({ policy: { workers: 2 } });
  const pixels = Buffer.alloc(64 * 64 * 4, 90);
  const png = new PNG({ width: 64, height: 64 });
  png.data = pixels;
  const encodings = [PNG.sync.write(png), jpeg.encode({ data: pixels, width: 64, height: 64 }, 90).data];
  const meta = { width: 64, height: 64 };
  for (const encoded of encodings) {
    await many(() =>
      supervisor.execute({ productId: 'A01', stepIndex: 1, image: { encoded, ...meta } }, { signal }),
    );
  }
  await many(() => supervisor.start('sample', '1.0.0', { signal }));
  await many(() => supervisor.switch({ name: 'sample', version: '1.0.0', productIds: ['A01'], signal }));
  await many(() => store.registry.use('sample', '1.0.0', { signal }).then((use) => use.release()));
  await many(() => store.registry.switch({ name: 'sample', version: '1.0.0', productIds: ['A01'], signal }));

  const { deployer, zip } = await deployStore();
  const zips = await Promise.all(Array.from({ length: MANY }, (_item, n) => zip({ version: `1.0.${n}` })));
  await many((n) => deployer.install(createReadStream(zips[n] ?? ''), { signal }));
  await many((n) => deployer.verify('sample', `1.0.${n}`, { signal }));
  await many((n) => deployer.uninstall('sample', `1.0.${n}`, { signal }));

  await using frames = new FramePool({ maxBytes: 4_096 });
  const soon = AbortSignal.timeout(100);
  await many(() => frames.lease({ width: 30, height: 30 }, { signal: soon }));
  await new Promise((resolve) => setImmediate(resolve)); // warnings come in the next turn
  expect(printed).toEqual([]);
});
