/** Two images of 1920 x 1200 x 3 handed to an algorithm, against what a plain host does: new files, whole-file reads. */
import { mkdir, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { npyHeader } from '../../src/frames/npy.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import { openArchive } from '../../src/package/archive.js';
import { pythonEnvironment } from '../../src/process/environment.js';
import { buildStandInSdk } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerFlavour, WorkerSpec } from '../../src/worker/types.js';
import { sharedNumpyWheel } from '../../test/support/shared-material.js';
import { compare, type BenchCase, type BenchResult } from '../harness.js';
import { BareAdapter, scratchFolder } from '../support/processes.js';

const WIDTH = 1920;
const HEIGHT = 1200;
const SHAPE = { width: WIDTH, height: HEIGHT };
const CALLS = 20;

const ALGORITHM = `from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [],
                "debug": [int(cur_image[0, 0, 0]), int(guide_image[-1, -1, -1])]}}
`;

/** An algorithm root with the stand-in SDK and NumPy in it, for the Python that the wheel is for. */
async function algorithmRoot(
  folder: string,
  numpyWheel: string,
): Promise<Omit<WorkerSpec, 'frameDirectory'>> {
  const root = path.join(folder, 'root');
  await using numpy = await openArchive(numpyWheel);
  await numpy.extract(root);
  const wheel = path.join(folder, 'sdk.whl');
  await writeFile(wheel, (await buildStandInSdk({ generation: 'execute-only' })).bytes);
  await using sdk = await openArchive(wheel);
  for (const entry of sdk.entries.filter(({ isDirectory }) => !isDirectory)) {
    const target = path.join(root, entry.name);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, await sdk.read(entry));
  }
  await writeFile(path.join(root, 'main.py'), ALGORITHM);
  return { name: 'bench', version: '1', root, python: 'python3.11', entryPoint: 'main:Algorithm' };
}

async function perCall(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let index = 0; index < CALLS; index++) await call();
  return (performance.now() - startedAt) / CALLS;
}

async function handingOver(): Promise<BenchResult[]> {
  const numpyWheel = sharedNumpyWheel();
  if (numpyWheel === undefined) return [];
  await using folder = await scratchFolder();
  await using frames = new FramePool();
  const spec = { ...(await algorithmRoot(folder.path, numpyWheel)), frameDirectory: await frames.open() };
  const image = new Uint8Array(WIDTH * HEIGHT * 3).fill(7);
  const guide = new Uint8Array(WIDTH * HEIGHT * 3).fill(9);

  const naiveFolder = path.join(folder.path, 'naive');
  await mkdir(naiveFolder);
  const naive = new BareAdapter(
    spec.python,
    ['-m', 'procvision_algorithm_sdk.adapter', '--entry', spec.entryPoint],
    {
      cwd: spec.root,
      env: pythonEnvironment({ PROC_SHM_DIR: naiveFolder }),
    },
  );
  await naive.next();
  let sent = 0;
  const meta = { ...SHAPE, timestamp_ms: 0, camera_id: 'c' };
  const naiveCall = async () => {
    const ids = [`i${++sent}`, `i${++sent}`] as const;
    const files = ids.map((id) => path.join(naiveFolder, `${id}.npy`));
    for (const [index, data] of [image, guide].entries()) {
      await writeFile(files[index] ?? '', Buffer.concat([npyHeader(HEIGHT, WIDTH, 3), data]));
    }
    const [cur_image_shm_id, guide_image_shm_id] = ids;
    const data = {
      step_index: 1,
      cur_image_shm_id,
      cur_image_meta: meta,
      guide_image_shm_id,
      guide_image_meta: meta,
    };
    const answer = await naive.ask({ type: 'call', request_id: ids[0], data });
    if (answer.type !== 'result') throw new Error(JSON.stringify(answer));
    for (const file of files) await unlink(file);
  };

  const start = async (flavour: WorkerFlavour) => {
    const worker = new AlgorithmWorker({ ...spec, flavour });
    await worker.start();
    return worker;
  };
  const sdk = await start('sdk');
  const bundled = await start('bundled');
  const copying = (worker: AlgorithmWorker) => async () => {
    const [first, second] = await Promise.all([
      frames.send({ data: image, ...SHAPE }),
      frames.send({ data: guide, ...SHAPE }),
    ]);
    await worker.call({ phase: 'execute', image: first, guideImage: second });
    first.done();
    second.done();
  };
  const inPlace = await Promise.all([frames.lease(SHAPE), frames.lease(SHAPE)]);
  inPlace.forEach((frame, index) => frame.pixels.fill(index));
  const filled = async () => {
    const [first, second] = await Promise.all(inPlace.map((frame) => frames.send(frame)));
    await bundled.call({ phase: 'execute', image: first, guideImage: second });
    first?.done();
    second?.done();
  };
  try {
    const against = (name: string, ours: () => Promise<unknown>, atMost: number) =>
      compare({
        name: `frames: two images, ${name}`,
        comparator: 'new files, whole-file reads',
        ours: () => perCall(ours),
        theirs: () => perCall(naiveCall),
        atMost,
      });
    return [
      await against('SDK adapter', copying(sdk), 1 / 2),
      await against('bundled worker, copied in', copying(bundled), 1 / 8),
      await against('bundled worker, filled in place', filled, 1 / 40),
    ];
  } finally {
    await Promise.all([sdk.stop(), bundled.stop(), naive.end()]);
  }
}

async function mappedCopy(): Promise<BenchResult[]> {
  await using frames = new FramePool();
  const image = new Uint8Array(WIDTH * HEIGHT * 3).fill(7);
  const target = new Uint8Array(image.length);
  return [
    await compare({
      name: 'frames: mapped copy of one frame',
      comparator: 'a plain memory copy of that size',
      ours: () =>
        perCall(async () => {
          (await frames.send({ data: image, ...SHAPE })).done();
        }),
      theirs: () =>
        perCall(() => {
          target.set(image);
          return Promise.resolve();
        }),
      rounds: 15,
      atMost: 1.3,
    }),
  ];
}

export const cases: BenchCase[] = [
  { name: 'frames: handing over', run: handingOver },
  { name: 'frames: mapped copy', run: mappedCopy },
];
