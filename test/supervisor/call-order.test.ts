import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { slotBytes } from '../../src/frames/slot.js';
import { LaneOrder } from '../../src/supervisor/deployments/lane-order.js';
import type { InspectionRequest, InspectionResult } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const target = { name: 'sample', version: '1.0.0' };
const LARGE = { width: 1920, height: 1200 };
const SMALL = { width: 8, height: 8 };
const SIZES = [LARGE, SMALL, LARGE, SMALL, SMALL, LARGE];

const imageOf = (size: { width: number; height: number }) => ({
  data: new Uint8Array(size.width * size.height * 3),
  ...size,
});
/** Which call of the worker's life it was. */
const turnOf = ({ data }: InspectionResult) => (data.debug as { calls: number }).calls;

async function open(o: { frames?: FramePool; policy?: object } = {}) {
  const { registry, supervisor } = await openSupervised(o);
  await deployVersion(registry, { source: steeredAlgorithm() });
  await registry.activate({ ...target, productIds: ['A01'] });
  return supervisor;
}

describe('calls made in one tick reach a single worker in the order in which they were made', () => {
  test.each<[string, boolean, Partial<InspectionRequest>]>([
    ['started beforehand, by product id', true, { productId: 'A01' }],
    ['started beforehand, by version', true, { target }],
    ['started by the first of them, by product id', false, { productId: 'A01' }],
    ['started by the first of them, by version', false, { target }],
  ])('%s, whatever the size of their images and whether they can be aborted', async (_, isStarted, to) => {
    const supervisor = await open({ policy: { executeTimeoutMs: 30_000 } });
    if (isStarted) await supervisor.start('sample', '1.0.0');
    for (let round = 0; round < 5; round++) {
      const calls = SIZES.map((size, index) => {
        const request = { stepIndex: 1, image: imageOf(size), ...to } as InspectionRequest;
        return supervisor.execute(request, index % 2 ? {} : { signal: new AbortController().signal });
      });
      const turns = (await Promise.all(calls)).map(turnOf);
      expect(turns).toEqual(SIZES.map((_size, index) => round * SIZES.length + index + 1));
    }
  });

  test('as leased frames that have yet to be written to their files', async () => {
    const frames = new FramePool({ mapped: false });
    const supervisor = await open({ frames });
    // Before the store is removed, in which its files are: Windows removes no file that is open.
    onTestFinished(() => supervisor.close().then(() => frames.close()));
    await supervisor.start('sample', '1.0.0');
    const leased = await Promise.all(SIZES.map((size) => frames.lease(size)));
    for (const frame of leased) frame.pixels.fill(1);
    const calls = leased.map((image) => supervisor.execute({ target, stepIndex: 1, image }));
    expect((await Promise.all(calls)).map(turnOf)).toEqual(SIZES.map((_size, index) => index + 1));
    for (const frame of leased) frame.release();
  });
});

test('a leased frame is not held up by an image before it that waits for the room of this very frame', async () => {
  const frames = new FramePool({ maxBytes: slotBytes({ ...SMALL, channels: 3 }) });
  onTestFinished(() => frames.close());
  const supervisor = await open({ frames });
  await supervisor.start('sample', '1.0.0');
  const frame = await frames.lease(SMALL);
  frame.pixels.fill(1);
  const copied = supervisor.execute({ target, stepIndex: 1, image: imageOf(SMALL) });
  expect(turnOf(await supervisor.execute({ target, stepIndex: 1, image: frame }))).toBe(1);
  frame.release();
  expect(turnOf(await copied)).toBe(2);
});

describe('the order of a lane', () => {
  const pieces = () => {
    const begun: string[] = [];
    const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
    const work = (name: string) => () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.set(name, { resolve: () => resolve(name), reject });
      });
    };
    return { begun, work, end: (name: string) => ends.get(name) };
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  test('is one piece after the other; another lane does not wait for it', async () => {
    const order = new LaneOrder();
    const { begun, work, end } = pieces();
    const first = order.run('A', work('A1'));
    const second = order.run('A', work('A2'));
    void order.run('B', work('B1'));
    await settled();
    expect(begun).toEqual(['A1', 'B1']);
    end('A1')?.resolve();
    await settled();
    expect(begun).toEqual(['A1', 'B1', 'A2']);
    end('A2')?.resolve();
    expect(await Promise.all([first, second])).toEqual(['A1', 'A2']);
  });

  test('goes on after a piece that fails, and after one that is given up before its turn', async () => {
    const order = new LaneOrder();
    const { begun, work, end } = pieces();
    const failing = order.run('A', work('A1'));
    const controller = new AbortController();
    const given = order.run('A', work('A2'), controller.signal);
    const last = order.run('A', work('A3'));
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: 'aborted' });
    await settled();
    expect(begun).toEqual(['A1']); // the turn of the third comes after the first, not after the wait of the second
    end('A1')?.reject(new Error('no room'));
    await expect(failing).rejects.toThrow('no room');
    await settled();
    end('A3')?.resolve();
    expect(await last).toBe('A3');
    expect(begun).toEqual(['A1', 'A3']);
  });
});
