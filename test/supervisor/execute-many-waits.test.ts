import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Generation } from '../../src/package/types.js';
import type { InspectionRequest } from '../../src/supervisor/types.js';
import { bundledSample, pictureOf as picture, requestOf } from '../support/bundled-sample.js';

const GUIDED = `from procvision_algorithm_sdk import BaseAlgorithm

class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        value = int(cur_image[0, 0, 0])
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": {"value": value}}}
`;
const TOGETHER = `from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

def ok(**debug):
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": debug}}

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return ok(value=int(read_image_from_shared_memory(shared_mem_id, image_meta)[0, 0, 0]), together=1)
    def execute_batch(self, items):
        values = [int(read_image_from_shared_memory(item["shared_mem_id"], item["image_meta"])[0, 0, 0]) for item in items]
        return [dict(ok(value=value, together=len(items)), item=item["item"]) for value, item in zip(values, items)]
`;

const request = (value: number, more: Partial<InspectionRequest> = {}) =>
  requestOf(value, { timeoutMs: 5_000, ...more });
const valuesOf = (results: { data: object; error?: { message: string } | undefined }[]) =>
  results.map(({ data, error }) => error?.message ?? (data as { debug?: { value?: number } }).debug?.value);

const open = (source: string, generation: Generation) =>
  bundledSample(source, { generation, policy: { retries: 0 } });

const derive = promisify(pbkdf2);

test('a picture whose message is sealed while its guide is looked up is answered at once', async () => {
  const { registry, supervisor } = await open(GUIDED, 'execute-only');
  await registry.setGuide({ productId: 'A01', stepIndex: 1, image: picture(50) });
  // All threads that look at files have something else to do: each look takes longer than a message waits for a picture.
  let isOver = false;
  const occupy = async () => {
    while (!isOver) await derive('secret', 'salt', 40_000, 32, 'sha512');
  };
  const occupied = Array.from({ length: 6 }, occupy);
  const results = await supervisor.executeMany([1, 2, 3, 4].map((value) => request(value)));
  isOver = true;
  await Promise.all(occupied);
  expect(valuesOf(results)).toEqual([1, 2, 3, 4]);
  expect(supervisor.status()[0]).toMatchObject({ queued: 0, inFlight: 0 });
});

/** A BMP of 4 by 4 pixels. */
function bitmap(value: number): Uint8Array {
  const bytes = Buffer.alloc(54 + 48, value).fill(0, 0, 54);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(4, 18);
  bytes.writeInt32LE(4, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  return bytes;
}

/** A picture that takes its time to come. */
class Slow extends Blob {
  override async arrayBuffer(): Promise<ArrayBuffer> {
    await new Promise((resolve) => setTimeout(resolve, 6));
    return super.arrayBuffer();
  }
}

test('pictures that come one after the other, for longer than the first has time, cost no worker its life', async () => {
  const { supervisor } = await open(TOGETHER, 'phased');
  const { processId } = supervisor.status()[0]?.workers[0] ?? {};
  const encoded = (value: number) => ({ encoded: new Slow([bitmap(value)]) });
  const values = Array.from({ length: 32 }, (_, n) => n + 1);
  const results = await supervisor.executeMany(
    values.map((value) => request(value, { image: encoded(value), timeoutMs: 200 })),
  );
  expect(valuesOf(results)).toEqual(values);
  expect(supervisor.status()[0]?.workers[0]).toMatchObject({ processId, restarts: 0 });
});
