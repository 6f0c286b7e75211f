import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { Generation } from '../../src/package/types.js';
import type { InspectionResult } from '../../src/supervisor/types.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { PUBLISHED_SDKS, publishedSdk } from '../support/index-wheels.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = (value: number, height: number) => ({
  ...{ data: new Uint8Array(64 * height * 3).fill(value), width: 64, height },
});

const HEAD = `import os, threading, time
from procvision_algorithm_sdk import BaseAlgorithm
kept = []
def leak():
    while True:
        try: kept.append(os.open(os.devnull, os.O_RDONLY))
        except OSError: time.sleep(0.001)
def look(image, leaks):
    if leaks and not kept: threading.Thread(target=leak, daemon=True).start()
    return {"status": "OK", "message": "", "data": {"result_status": "OK",
            "debug": {"seen": sorted(set(image.ravel().tolist()))}}}
`;
const SOURCES = {
  phased: `${HEAD}
from procvision_algorithm_sdk import read_image_from_shared_memory
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "VERSION", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return look(read_image_from_shared_memory(shared_mem_id, image_meta), step_index == 2)
`,
  'execute-only': `${HEAD}
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return look(cur_image, step_index == 2)
`,
};

const sourceOf = (version: string, generation: Generation) => SOURCES[generation].replace('VERSION', version);

const seen = ({ data }: InspectionResult) => (data.debug as { seen: number[] }).seen;

describe('under each SDK of the package index', () => {
  /** One store for all: what NumPy unpacks to is shared by the versions. */
  let store: TemporaryStore;

  beforeAll(async () => {
    store = await TemporaryStore.open();
  });

  afterAll(() => store.close());

  test.for(Object.entries(PUBLISHED_SDKS))(
    '%s, %s, each verdict is proven and about its own picture, and one that cannot be read is an ERROR 1007',
    async ([version, generation], t) => {
      const target = { name: 'sample', version };
      const sdk = await publishedSdk(version);
      if (!sdk) return t.skip('there is no package index, or no wheel for this Python');
      const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': sourceOf(version, generation) };
      const requirements = 'procvision_algorithm_sdk\n';
      const zip = await store.deliver({ version, generation, files, sdk, requirements, productIds: ['A01'] });
      await store.deployer().install(zip);
      for (const worker of ['sdk', 'bundled'] as const) {
        for (const mapped of [true, false]) {
          const frames = new FramePool({ directory: await temporaryFolder(), mapped });
          onTestFinished(() => frames.close());
          const policy = { retries: 0, resources: { openFiles: 100 } };
          const supervisor = store.supervise({ worker, frames, policy });
          const call = (value: number, stepIndex: number, height = 48) =>
            supervisor.execute({ target, stepIndex, image: image(value, height), guideImage: 'same' });
          for (const value of [7, 8]) {
            const result = await call(value, 1);
            expect([worker, mapped, seen(result), result.proof?.by]).toEqual([
              ...[worker, mapped, [value], 'worker'],
            ]);
          }
          // Memory that the worker has already is read without a descriptor: only a larger picture needs another.
          let height = 48;
          await expect.poll(async () => (await call(9, 2, (height += 48))).errorCode).toBe('1007');
          await supervisor.close();
        }
      }
    },
  );
});
