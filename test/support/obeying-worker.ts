import { onTestFinished } from 'vitest';
import type { Generation } from '../../src/package/types.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerFlavour, WorkerLimits, WorkerLog, WorkerReply } from '../../src/worker/types.js';
import { algorithmFolder } from './algorithm-folder.js';

const HEAD = `import contextlib, ctypes, io, os, signal, subprocess, sys, threading, time
from procvision_algorithm_sdk import BaseAlgorithm
libc = ctypes.CDLL(None if os.name == "posix" else "msvcrt")
def run(code):
    names = dict(globals(), debug={})
    exec(code, names)
    globals().update({name: names[name] for name in names.get("kept", ())})
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": names["debug"]}}
`;
const PHASED = `${HEAD}
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "x"}
    def pre_execute(self, *args):
        return run("")
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return run(user_params["code"])
`;
const EXECUTE_ONLY = `${HEAD}
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return run(step_desc)
`;
/** Of a picture that no worker looks for: it has no size. */
const image = { id: 'none', meta: { width: 0, height: 0, timestamp_ms: 0, camera_id: '' } };

/** A worker of either adapter and generation whose algorithm runs the code that it is given. */
export interface ObeyingWorker {
  worker: AlgorithmWorker;
  /** Runs Python code in `execute`; what it puts into `debug` comes back in the answer's. */
  run: (code: string) => Promise<WorkerReply>;
  logs: WorkerLog[];
  /** Stray output and frames that were skipped. */
  odd: string[];
}

/** Starts it; it ends with the test. */
export async function obeyingWorker(
  flavour: WorkerFlavour,
  generation: Generation,
  o: { limits?: Partial<WorkerLimits>; python?: string; head?: string; bare?: boolean } = {},
): Promise<ObeyingWorker> {
  const source = (o.head ?? '') + (generation === 'phased' ? PHASED : EXECUTE_ONLY);
  const spec = await algorithmFolder(source, { generation, python: o.python });
  const worker = new AlgorithmWorker(
    { ...spec, flavour },
    { executeMs: 20_000, shutdownMs: 500, ...o.limits },
  );
  onTestFinished(() => worker.stop().then(() => undefined));
  const logs: WorkerLog[] = [];
  const odd: string[] = [];
  worker.on('log', (log) => logs.push(log));
  worker.on('strayOutput', (text) => odd.push(`stray: ${text}`));
  worker.on('protocolError', ({ message }) => odd.push(message));
  await worker.start();
  const run = (code: string) =>
    worker.call({ phase: 'execute', userParams: { code }, stepDesc: code, image, guideImage: image });
  return { worker, run, logs, odd };
}
