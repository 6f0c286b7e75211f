import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { FramePool } from '../../src/frames/frame-pool.js';
import type { SentImage } from '../../src/frames/types.js';
import type { NumberedCall } from '../../src/worker/types.js';
import { phasedSource, READ, startBundled } from '../support/bundled-worker.js';

const size = { width: 64, height: 64 };
const ONE_BY_ONE = phasedSource(`${READ}return ok(value=int(image[0, 0, 0]))`);
const TOGETHER = `${ONE_BY_ONE}
    def execute_batch(self, items):
        values = [int(read_image_from_shared_memory(item["shared_mem_id"], item["image_meta"])[0, 0, 0]) for item in items]
        return [dict(ok(value=value), item=item["item"]) for value, item in zip(values, items)]
`;
const isLinux = process.platform === 'linux';

async function leased(frames: FramePool, count: number) {
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const frame = await frames.lease(size);
      frame.pixels.fill(n + 1);
      return frame;
    }),
  );
}

/** A picture in memory, and as a file that is written when it may be. */
function asLateFile(image: SentImage) {
  let comes!: () => void;
  const mayCome = new Promise<void>((resolve) => (comes = resolve));
  const late = {
    ...{ id: image.id, kind: image.kind, meta: image.meta, sizeBytes: image.sizeBytes, proof: image.proof },
    deliver: async (folder: string) => {
      await mayCome;
      await image.deliver(folder);
    },
  };
  return { late: late as unknown as SentImage, comes };
}

let ids = 0;
const numbered = (image: SentImage): NumberedCall => ({
  call: { phase: 'execute', image },
  requestId: `r${++ids}`,
});
const valueOf = async (reply: Promise<{ status: string; message: string; data: object }> | undefined) => {
  const { status, message, data } = (await reply) ?? expect.fail('no answer');
  return status === 'OK' ? (data as { debug: { value: number } }).debug.value : message;
};

test.runIf(isLinux)(
  'memory whose place another part takes while its own waits for a file is not looked for at that place',
  async () => {
    const { worker, frames } = await startBundled(ONE_BY_ONE);
    const all = await leased(frames, 20);
    const images = await Promise.all(all.map((frame) => frames.send(frame, { proof: undefined })));
    const [file1, file2, again, ...others] = images as [SentImage, SentImage, SentImage, ...SentImage[]];
    const [one, two] = [asLateFile(file1), asLateFile(file2)];
    const first = worker.callMany([numbered(one.late), numbered(again)], { more: true });
    const second = worker.callMany([...others.slice(0, 16).map(numbered), numbered(two.late)], {
      more: true,
    });
    one.comes();
    expect(await Promise.all(first.map(valueOf))).toEqual([1, 3]);
    const third = worker.callMany([numbered(again)], { more: false });
    two.comes();
    expect(await Promise.all(second.map(valueOf))).toEqual([
      ...Array.from({ length: 16 }, (_, n) => n + 4),
      2,
    ]);
    expect(await valueOf(third[0])).toBe(3);
  },
);

test.runIf(isLinux).each([
  ['one by one', ONE_BY_ONE],
  ['at once', TOGETHER],
])('a ping while parts of a message are out takes no memory from calls that go %s', async (_, source) => {
  const { worker, frames } = await startBundled(source);
  const [frame = expect.fail(), other = expect.fail()] = await leased(frames, 2);
  const image = await frames.send(frame, { proof: undefined });
  const file = asLateFile(await frames.send(other, { proof: undefined }));
  expect(await valueOf(worker.call({ phase: 'execute', image }))).toBe(1);
  const first = worker.callMany([numbered(image)], { more: true });
  const second = worker.callMany([numbered(file.late), numbered(image)], { more: true });
  await sleep(50);
  await worker.ping();
  file.comes();
  const last = worker.callMany([numbered(image)], { more: false });
  expect(await Promise.all([...first, ...second, ...last].map(valueOf))).toEqual([1, 2, 1, 1]);
});

test.each([
  ['one by one', ONE_BY_ONE],
  ['at once', TOGETHER],
])(
  'a call of somebody else does not become a part of an open message whose calls go %s',
  async (_, source) => {
    const { worker, frames } = await startBundled(source);
    const [frame = expect.fail()] = await leased(frames, 1);
    const image = await frames.send(frame, { proof: undefined });
    const first = worker.callMany([numbered(image)], { more: true });
    await expect(worker.call({ phase: 'info' })).rejects.toMatchObject({ code: 'queue_full' });
    const last = worker.callMany([numbered(image)], { more: false });
    expect(await Promise.all([...first, ...last].map(valueOf))).toEqual([1, 1]);
    expect(worker.state).toBe('idle');
  },
);

test.runIf(isLinux)(
  'a place that holds the memory of another name gives no verdict, with nothing to be proven',
  async () => {
    const { worker, frames } = await startBundled(ONE_BY_ONE);
    const [frame = expect.fail()] = await leased(frames, 1);
    const image = await frames.send(frame, { proof: undefined });
    const { id, kind, meta, sizeBytes, descriptor, lasting } = image;
    expect(await valueOf(worker.call({ phase: 'execute', image }))).toBe(1);
    const other = { id: `${id}-other`, kind, meta, sizeBytes, descriptor, lasting } as SentImage;
    const reply = await worker.call({ phase: 'execute', image: other });
    expect(reply).toMatchObject({
      status: 'ERROR',
      isPictureLost: true,
      message: /its place holds the memory of/,
    });
    expect(await valueOf(worker.call({ phase: 'execute', image }))).toBe(1);
  },
);

test('calls that wait for the rest of their message are answered by a class whose execute_batch has gone', async () => {
  const source = `${ONE_BY_ONE}
    looks = 0
    @property
    def execute_batch(self):
        self.looks += 1
        if self.looks > 1:
            raise AttributeError("the device is gone")
        return list
`;
  const { worker, frames } = await startBundled(source);
  const all = await leased(frames, 3);
  const images = await Promise.all(all.map((frame) => frames.send(frame, { proof: undefined })));
  const [one, two, three] = images.map(numbered) as [NumberedCall, NumberedCall, NumberedCall];
  const first = worker.callMany([one, two], { more: true, timeoutMs: 2_000 });
  const last = worker.callMany([three], { more: false });
  expect(await Promise.all([...first, ...last].map(valueOf))).toEqual([1, 2, 3]);
});

test('calls of another phase in a message do not go to execute_batch', async () => {
  const { worker, frames } = await startBundled(TOGETHER);
  const [frame = expect.fail()] = await leased(frames, 1);
  const image = await frames.send(frame, { proof: undefined });
  const pre = [1, 2].map((n): NumberedCall => ({ call: { phase: 'pre', image }, requestId: `pre${n}` }));
  for (const reply of await Promise.all(worker.callMany(pre))) {
    expect(reply).toMatchObject({ status: 'OK', data: { phase: 'pre' } });
    expect(reply.data.result_status).toBeUndefined();
  }
});
