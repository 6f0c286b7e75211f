import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { AlgorithmSupervisor } from '../../src/index.js';
import type { SentImages } from '../../src/supervisor/calls/call-observer.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Tells the first value of its picture; a process that is told to hang leaves only when it is killed. */
const ALGORITHM = `import signal, time
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        picture = read_image_from_shared_memory(shared_mem_id, image_meta)
        if user_params.get("hang"):
            time.sleep(60)
        seen = int(picture[0, 30, 0])
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": seen}}
`;

/** A frame that the host fills again and again, in the worker's own memory or in a format that is converted. */
async function open(o: { mapped: boolean; pixelFormat: 'RGB8' | 'RGBa8'; proof: 'sampled' | 'off' }) {
  const { mapped, pixelFormat, proof } = o;
  const frames = new FramePool({ mapped });
  const policy = { proof, retryTimeouts: false, backoffMs: 1 };
  const { registry, supervisor } = await openSupervised({ worker: 'bundled', frames, policy });
  // Before the store is removed, in which its files may be: Windows removes no file that is open.
  onTestFinished(() => supervisor.close().then(() => frames.close()));
  await deployVersion(registry, { source: ALGORITHM });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await supervisor.start('sample', '1.0.0');
  const frame = await frames.lease({ width: 640, height: 640, pixelFormat });
  const call = (more: { userParams?: object; timeoutMs?: number }, signal?: AbortSignal) =>
    supervisor.execute({ productId: 'A01', stepIndex: 1, image: frame, ...more }, { signal });
  const place = 30 * (pixelFormat === 'RGB8' ? 3 : 4);
  return { supervisor, frame, place, call };
}

/** Somebody who looks at the pictures of each call until the end. */
async function onlooker(supervisor: AlgorithmSupervisor) {
  const seen: SentImages[] = [];
  let letGo!: () => void;
  const until = new Promise<void>((resolve) => (letGo = resolve));
  const offer = ({ images }: { images: SentImages }) => {
    seen.push(images);
    return until;
  };
  const stop = await supervisor.observe({ offer, close: () => Promise.resolve() });
  const end = async () => {
    letGo();
    await stop();
  };
  return { seen, end };
}

const KINDS = ([true, false] as const).flatMap((mapped) =>
  (['RGB8', 'RGBa8'] as const).flatMap((pixelFormat) =>
    (['sampled', 'off'] as const).map((proof) => ({ mapped, pixelFormat, proof })),
  ),
);

test.each(KINDS)(
  'a frame that is filled anew after a call that was given up, while its worker ends, is judged as it is now: $mapped, $pixelFormat, $proof',
  async (kind) => {
    const { frame, place, call } = await open(kind);
    frame.pixels.fill(1);
    expect((await call({})).data.debug).toBe(1);
    const given = new AbortController();
    const hanging = call({ userParams: { hang: true }, timeoutMs: 400 }, given.signal);
    if (kind.proof === 'off') setTimeout(() => given.abort(), 200);
    await expect(hanging).rejects.toMatchObject({ code: kind.proof === 'off' ? 'aborted' : 'timeout' });
    frame.pixels[place] = 2; // of this place no sample is taken
    expect(await call({ timeoutMs: 20_000 })).toMatchObject({ data: { debug: 2 }, attempts: 1 });
    frame.release();
  },
);

test.each(KINDS)(
  'a frame that is filled anew while somebody looks on after its call is judged as it is now, and no copy is made of it: $mapped, $pixelFormat, $proof',
  async (kind) => {
    const { supervisor, frame, call } = await open(kind);
    const { seen, end } = await onlooker(supervisor);
    frame.pixels.fill(1);
    expect((await call({})).data.debug).toBe(1);
    const [first] = seen;
    const file = path.join(await temporaryFolder(), 'copy.npy');
    await first?.image.save(file);
    expect((await readFile(file)).at(-1)).toBe(1);
    frame.pixels.fill(2);
    const { data, attempts } = await call({});
    expect([data.debug, attempts]).toEqual([2, 1]);
    expect(first?.image.isLost).toBe(true);
    await expect(first?.image.save(file)).rejects.toMatchObject({ code: 'frame_released' });
    await end();
    frame.release();
  },
);

test('a frame with a proof whose copy is not begun before it is filled anew is not copied', async () => {
  const { supervisor, frame, call } = await open({ mapped: true, pixelFormat: 'RGB8', proof: 'sampled' });
  const { seen, end } = await onlooker(supervisor);
  frame.pixels.fill(1);
  await call({});
  frame.pixels.fill(2);
  const file = path.join(await temporaryFolder(), 'copy.npy');
  await expect(seen[0]?.image.save(file)).rejects.toMatchObject({ code: 'frame_released' });
  await end();
  frame.release();
});

test.each([true, false])(
  'pixels in one view, whose length changes with its buffer from call to call, are judged at the first attempt: mapped %s',
  async (mapped) => {
    const { supervisor, frame } = await open({ mapped, pixelFormat: 'RGB8', proof: 'sampled' });
    const most = 3 * 64 * 200;
    const options = { maxByteLength: most } as object; // of ES2024
    const buffer = new (ArrayBuffer as new (length: number, o: object) => ArrayBuffer)(most, options);
    const data = new Uint8Array(buffer);
    for (const [width, value] of [
      [64, 1],
      [150, 2],
      [40, 3],
      [200, 4],
    ] as const) {
      (buffer as unknown as { resize: (length: number) => void }).resize(3 * 64 * width);
      for (let at = 0; at < data.length; at++) data[at] = at * 31 + value;
      data[90] = value;
      const image = { data, width, height: 64 };
      const { data: answer, attempts } = await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
      expect([answer.debug, attempts]).toEqual([value, 1]);
    }
    frame.release();
  },
);
