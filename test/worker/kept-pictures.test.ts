import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import { ForkServer } from '../../src/worker/fork-server.js';
import { resolveLimits } from '../../src/worker/limits.js';
import type { WorkerReply } from '../../src/worker/types.js';
import { algorithmFolder } from '../support/algorithm-folder.js';
import { phasedSource, READ, startBundled } from '../support/bundled-worker.js';

const size = { width: 96, height: 80 }; // six pages

/** Tells all values that it finds in its picture, and of those that it keeps; then does with it what it is asked to. */
const SOURCE = phasedSource(
  `${READ}seen = sorted(set(bytes(image)))
way = user_params.get("way")
again = None
if way == "one": image[40, 7, 1] = 255
if way == "all":
    with memoryview(image).cast("B") as flat: flat[:] = bytes(len(flat))
if way == "keep": kept.append((seen, image))
if way == "part": kept.append((seen, image[40:41]))
if way == "twice":
    other = read_image_from_shared_memory(shared_mem_id, image_meta)
    other[40, 7, 1] = 255
    again = sorted(set(bytes(image)))
if way == "fork":
    child = os.fork()
    if child == 0:
        image[40, 7, 1] = 255
        os._exit(0)
    os.waitpid(child, 0)
    again = sorted(set(bytes(image)))
if way == "raise": raise ValueError(str(seen))
del kept[:-3]
return ok(seen=seen, again=again, kept=[[was, sorted(set(bytes(one)))] for was, one in kept])`,
  'import os\nkept = []',
);

interface Told {
  seen: number[];
  again: number[] | null;
  kept: [number[], number[]][];
}

const pictures = ({ metrics }: WorkerReply) => metrics?.pictures;
const seen = ({ data }: WorkerReply) => (data.debug as Told).seen;

/** Makes calls with pictures in these frames, each filled anew for each call. */
async function caller(slots = 1, source = SOURCE) {
  const { worker, frames } = await startBundled(source);
  const leased = await Promise.all(Array.from({ length: slots }, () => frames.lease(size)));
  const send = async (frame: Awaited<ReturnType<FramePool['lease']>>, value: number) => {
    frame.pixels.fill(value);
    return frames.send(frame, { proof: 'full' });
  };
  let calls = 0;
  return async (way?: string, slot = 0) => {
    const value = (++calls % 250) + 1;
    const frame = leased[slot];
    if (!frame) throw new Error('there is no such slot');
    const image = await send(frame, value);
    const reply = await worker.call({ phase: 'execute', image, userParams: { way } });
    image.done();
    return { reply, value };
  };
}

test('a version that only reads finds each picture in the mapping that it has, and so after a write to one place', async () => {
  const call = await caller();
  for (let n = 0; n < 20; n++) {
    const { reply, value } = await call(n % 7 === 3 ? 'one' : undefined);
    expect(seen(reply)).toEqual([value]);
    expect(pictures(reply)).toBe('mapped');
  }
});

test.skipIf(process.platform !== 'linux')(
  'a version that writes to most of its pictures gets copies from its third call on, until it stops',
  async () => {
    const call = await caller();
    const ways: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      const { reply, value } = await call('all');
      expect(seen(reply)).toEqual([value]);
      ways.push(pictures(reply));
    }
    expect(ways).toEqual(['mapped', 'mapped', 'copied', 'copied']);
    for (let n = 0; n < 260; n++) {
      const { reply, value } = await call();
      expect(seen(reply)).toEqual([value]);
      ways.push(pictures(reply));
    }
    expect(ways.at(-1)).toBe('mapped');
  },
);

test('whatever an algorithm does with its pictures, it sees the one that was sent, and keeps what it keeps', async () => {
  const SLOTS = 3;
  const call = await caller(SLOTS);
  const posix = process.platform === 'win32' ? [] : ['fork'];
  const WAYS = [undefined, undefined, undefined, 'one', 'all', 'keep', 'part', 'twice', 'raise', ...posix];
  const used = new Set<unknown>();
  const asked = fc.sample(fc.tuple(fc.constantFrom(...WAYS), fc.nat(SLOTS - 1)), 300);
  for (const [n, [given, slot]] of asked.entries()) {
    // Whole runs of writing, so that both ways are gone.
    const way = n % 60 > 50 ? 'all' : given;
    const { reply, value } = await call(way, slot);
    used.add(pictures(reply));
    if (way === 'raise') {
      expect(reply).toMatchObject({ status: 'ERROR', message: `[${value}]` });
      continue;
    }
    const told = reply.data.debug as Told;
    expect(told.seen).toEqual([value]);
    if (told.again) expect(told.again).toEqual([value]);
    for (const [was, is] of told.kept) expect(is).toEqual(was);
  }
  if (process.platform === 'linux') expect(used).toEqual(new Set(['mapped', 'copied']));
});

/** At the end of a call, when the worker asks whether anything refers to the picture, a thread writes and lets go of it. */
const LATE_WRITE = phasedSource(
  `${READ}seen = sorted(set(bytes(image)))
if user_params.get("way") == "late":
    held.append(image)
    sys.setprofile(meanwhile)
return ok(seen=seen)`,
  `import sys
held = []
def meanwhile(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "is_free" and held:
        sys.setprofile(None)
        held[0][40, 7, 1] = 255
        del held[:]
`,
);

test('a picture that a thread writes to and lets go of while its call ends never shows in a later call', async () => {
  const call = await caller(1, LATE_WRITE);
  for (let n = 0; n < 12; n++) {
    const { reply, value } = await call(n % 4 === 2 ? 'late' : undefined);
    expect(seen(reply)).toEqual([value]);
  }
});

const READS_ONLY = phasedSource(`${READ}return ok(seen=sorted(set(bytes(image))))`);

test.skipIf(process.platform !== 'linux')(
  'a version whose worker was forked from a server gets mapped pictures as any other',
  async () => {
    const limits = resolveLimits({});
    const frames = new FramePool();
    const spec = {
      ...(await algorithmFolder(READS_ONLY)),
      ...{ flavour: 'bundled' as const, frameDirectory: await frames.open() },
    };
    const server = await ForkServer.start(spec, limits);
    const worker = new AlgorithmWorker(spec, limits, undefined, server);
    onTestFinished(async () => {
      await worker.stop();
      await server.stop();
      await frames.close();
    });
    await worker.start();
    expect(worker.isForked).toBe(true);
    const frame = await frames.lease(size);
    for (const value of [3, 4, 5]) {
      frame.pixels.fill(value);
      const image = await frames.send(frame, { proof: 'full' });
      const reply = await worker.call({ phase: 'execute', image });
      image.done();
      expect([seen(reply), pictures(reply)]).toEqual([[value], 'mapped']);
    }
  },
);
