import { onTestFinished } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { Generation } from '../../src/package/types.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerLimits } from '../../src/worker/types.js';
import { algorithmFolder } from './algorithm-folder.js';

/** A bundled worker that runs this source, and the frames it reads; both are gone when the test ends. */
export async function startBundled(
  source: string,
  options: { generation?: Generation; python?: string; limits?: Partial<WorkerLimits> } = {},
): Promise<{ worker: AlgorithmWorker; frames: FramePool }> {
  const frames = new FramePool();
  const spec = await algorithmFolder(source, options);
  const worker = new AlgorithmWorker(
    { ...spec, flavour: 'bundled', frameDirectory: await frames.open() },
    { shutdownMs: 1000, ...options.limits },
  );
  onTestFinished(async () => {
    await worker.stop();
    await frames.close();
  });
  await worker.start();
  return { worker, frames };
}

/** A phased algorithm whose `execute` has this body. `ok(…)` is an answer with these values in `debug`. */
export function phasedSource(body: string, head = ''): string {
  return `import time
from procvision_algorithm_sdk import BaseAlgorithm, RecoverableError, read_image_from_shared_memory
${head}
def ok(**debug):
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": debug}}

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "x"}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        session.set("seen", session.get("seen", 0) + 1)
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        ${body.replaceAll('\n', '\n        ')}
`;
}

/** First line of a body that looks at the image through the SDK's own function. */
export const READ = 'image = read_image_from_shared_memory(shared_mem_id, image_meta)\n';
