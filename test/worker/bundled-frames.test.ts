import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { FramePool } from '../../src/frames/frame-pool.js';
import type { SentImage } from '../../src/frames/types.js';
import { phasedSource, READ, startBundled } from '../support/bundled-worker.js';

const meta = { width: 64, height: 48 };
const full = (value: number) => ({ data: new Uint8Array(64 * 48 * 3).fill(value), ...meta });

/** Sends images one after the other, each in the slot of the one before. */
async function inOneSlot<T>(
  frames: FramePool,
  values: number[],
  call: (image: SentImage) => Promise<T>,
): Promise<T[]> {
  const answers: T[] = [];
  for (const value of values) {
    const sent = await frames.send(full(value));
    expect(sent.id).toBe('f1');
    answers.push(await call(sent));
    sent.done();
  }
  return answers;
}

const imageMeta = { ...meta, timestamp_ms: 0, camera_id: 'c' };

test.each([
  ['whole', 'image'],
  ['as a part', 'image[0:1]'],
  ['under an exception', 'image'],
])(
  'an image that the algorithm keeps %s shows what it showed, when its slot has another',
  async (how, kept) => {
    const body = `${READ}kept.append(${kept})
if ${how === 'under an exception' ? 'True' : 'False'} and len(kept) == 1: raise ValueError("first")
return ok(seen=[sorted(set(bytes(one))) for one in kept])`;
    const { worker, frames } = await startBundled(phasedSource(body, 'kept = []'));
    const [, , last] = await inOneSlot(frames, [1, 2, 3], (image) =>
      worker.call({ phase: 'execute', image }),
    );
    expect(last?.data.debug).toEqual({ seen: [[1], [2], [3]] });
  },
);

test('an image that the algorithm lets go leaves one mapping, which shows the next image in its slot', async () => {
  const body = `${READ}before = maps()
first = int(image[0, 0, 0])
return ok(first=first, mapped=before, at_start=last)`;
  const head = `
def maps():
    with open("/proc/self/maps") as file:
        return sum(".npy" in line for line in file)

last = []
`;
  const source = phasedSource(body, head).replace(
    'def get_info(self):',
    'def on_step_start(self, *args):\n        last.append(maps())\n    def get_info(self):',
  );
  const { worker, frames } = await startBundled(source);
  if (process.platform !== 'linux') return;
  const answers = await inOneSlot(frames, [1, 2, 3], (image) => worker.call({ phase: 'execute', image }));
  expect(answers.map(({ data }) => data.debug)).toEqual([
    { first: 1, mapped: 1, at_start: [0] },
    { first: 2, mapped: 1, at_start: [0, 1] },
    { first: 3, mapped: 1, at_start: [0, 1, 1] },
  ]);
});

test.each([
  ['is missing', () => Promise.resolve()],
  ['is empty', (file: string) => writeFile(file, '')],
  ['is no .npy file', (file: string) => writeFile(file, Buffer.alloc(64 * 48 * 3 + 128))],
  ['ends early', (file: string) => writeFile(file, npy('(48, 64, 3)', 64 * 48 * 3 - 1))],
  ['has another type', (file: string) => writeFile(file, npy('(48, 64, 3)', 64 * 48 * 12, '<f4'))],
  ['has four channels', (file: string) => writeFile(file, npy('(48, 64, 4)', 64 * 48 * 4))],
  ['has another size', (file: string) => writeFile(file, npy('(64, 48, 3)', 64 * 48 * 3))],
])(
  'a frame that %s is answered 1007 in either generation, whatever the algorithm makes of it',
  async (_title, put) => {
    for (const generation of ['phased', 'execute-only'] as const) {
      const source =
        generation === 'phased'
          ? phasedSource(`try:\n    ${READ}except Exception:\n    pass\nreturn ok()`)
          : 'from procvision_algorithm_sdk import BaseAlgorithm\nclass Algorithm(BaseAlgorithm):\n' +
            '    def execute(self, *call):\n        return {"status": "OK", "data": {"result_status": "OK"}}\n';
      const { worker, frames } = await startBundled(source, { generation });
      await put(path.join(await frames.open(), 'odd.npy'));
      const reply = await worker.call({ phase: 'execute', image: { id: 'odd', meta: imageMeta } });
      expect(reply).toMatchObject({ status: 'ERROR', errorCode: '1007', data: {} });
      expect(reply.message).toContain('odd');
      const good = await frames.send(full(1));
      expect(await worker.call({ phase: 'execute', image: good })).toMatchObject({ status: 'OK' });
    }
  },
);

function npy(shape: string, bytes: number, type = '|u1'): Buffer {
  const fields = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  const head = Buffer.concat([Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1'), Buffer.from([118, 0])]);
  return Buffer.concat([head, Buffer.from(fields.padEnd(117) + '\n'), Buffer.alloc(bytes)]);
}
