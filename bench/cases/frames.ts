/** Two images of 1920 x 1200 x 3 handed to an algorithm, against what a plain host does: new files, whole-file reads. */
import { cp, mkdir, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkerFlavour, WorkerSpec } from '../../src/index.js';
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { each, median } from '../harness/statistics.js';
import { BareAdapter } from '../support/adapter.js';
import { bareEnvironment } from '../support/pythons.js';
import { numpyWheels, wheelFiles } from '../support/wheels.js';

const WIDTH = 1920;
const HEIGHT = 1200;
const SHAPE = { width: WIDTH, height: HEIGHT };
const BYTES = WIDTH * HEIGHT * 3;
const NAIVE = 'new files, whole-file reads';

const ALGORITHM = `from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [],
                "debug": [int(cur_image[0, 0, 0]), int(guide_image[-1, -1, -1])]}}
`;

/** Header of NumPy's format 1.0 for an image (NumPy Enhancement Proposal 1). */
function npyHeader(): Buffer {
  const shape = `{'descr': '|u1', 'fortran_order': False, 'shape': (${HEIGHT}, ${WIDTH}, 3), }`;
  const text = `${shape.padEnd(128 - 10 - 1)}\n`;
  const head = Buffer.from('\u0093NUMPY\u0001\u0000\u0000\u0000', 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}

/** An algorithm root with the stand-in SDK and NumPy in it, for the Python that the wheel is for. */
async function algorithmRoot(context: BenchContext): Promise<Omit<WorkerSpec, 'frameDirectory'>> {
  const { main, testing } = context.library;
  const numpy = await numpyWheels(context);
  const root = path.join(context.folder, 'root');
  const sdk = await testing.buildStandInSdk({ generation: 'execute-only' });
  for (const { file, bytes } of [sdk, ...(await wheelFiles(numpy))]) {
    const wheel = path.join(context.folder, file);
    await writeFile(wheel, bytes);
    await using archive = await main.openArchive(wheel);
    await archive.extract(`${wheel}.content`);
    await cp(`${wheel}.content`, root, { recursive: true });
  }
  await writeFile(path.join(root, 'main.py'), ALGORITHM);
  return { name: 'bench', version: '1', root, python: numpy.python, entryPoint: 'main:Algorithm' };
}

/** A host by hand: each image a new file that the adapter reads as a whole. */
async function naiveHost(
  { folder }: BenchContext,
  spec: Omit<WorkerSpec, 'frameDirectory'>,
  images: readonly Uint8Array[],
): Promise<{ call: () => Promise<void>; close: () => Promise<void> }> {
  const frames = path.join(folder, 'naive');
  await mkdir(frames);
  const args = ['-m', 'procvision_algorithm_sdk.adapter', '--entry', spec.entryPoint];
  const adapter = new BareAdapter(spec.python, args, {
    cwd: spec.root,
    env: bareEnvironment({ PROC_SHM_DIR: frames }),
  });
  await adapter.next();
  const meta = { ...SHAPE, timestamp_ms: 0, camera_id: 'c' };
  let sent = 0;
  return {
    call: async () => {
      const ids = images.map(() => `i${++sent}`);
      const files = ids.map((id) => path.join(frames, `${id}.npy`));
      for (const [index, data] of images.entries()) {
        await writeFile(files[index] ?? '', Buffer.concat([npyHeader(), data]));
      }
      const [cur_image_shm_id, guide_image_shm_id] = ids;
      const names = { cur_image_shm_id, cur_image_meta: meta, guide_image_shm_id, guide_image_meta: meta };
      const data = { step_index: 1, ...names };
      const answer = await adapter.ask({ type: 'call', request_id: String(sent), data });
      if (answer.type !== 'result') throw new Error(JSON.stringify(answer));
      for (const file of files) await unlink(file);
    },
    close: () => adapter.close(),
  };
}

const handingOver: BenchCase = {
  name: 'frames/hand-over',
  measures:
    'A call with two images of 1920 x 1200: copied in by the SDK adapter and the bundled worker, and filled in place',
  figures: { call: { unit: 'ms' } },
  bars: [
    { figure: 'call', contestant: 'ours, SDK adapter', over: NAIVE, atMost: 1 / 2 },
    { figure: 'call', contestant: 'ours, bundled, copied in', over: NAIVE, atMost: 1 / 8 },
    { figure: 'call', contestant: 'ours, bundled, in place', over: NAIVE, atMost: 1 / 40 },
  ],
  async open(context) {
    const { AlgorithmWorker, FramePool } = context.library.main;
    const root = await algorithmRoot(context);
    const frames = new FramePool();
    context.onClose(() => frames.close());
    const spec = { ...root, frameDirectory: await frames.open() };
    const images = [7, 9].map((value) => new Uint8Array(BYTES).fill(value));
    const calls = context.quick ? 5 : 20;
    const perCall = async (call: () => Promise<unknown>) => ({ call: median(await each(calls, call)) });
    const start = async (flavour: WorkerFlavour) => {
      const worker = new AlgorithmWorker({ ...spec, flavour });
      await worker.start();
      return worker;
    };
    const copied = (flavour: WorkerFlavour) => async (): Promise<Contestant> => {
      const worker = await start(flavour);
      const call = async () => {
        const [image, guideImage] = await Promise.all(images.map((data) => frames.send({ data, ...SHAPE })));
        await worker.call({ phase: 'execute', image, guideImage });
        image?.done();
        guideImage?.done();
      };
      return { round: () => perCall(call), close: () => worker.stop() };
    };
    return {
      'ours, SDK adapter': copied('sdk'),
      'ours, bundled, copied in': copied('bundled'),
      'ours, bundled, in place': async () => {
        const worker = await start('bundled');
        const leases = await Promise.all([frames.lease(SHAPE), frames.lease(SHAPE)]);
        leases.forEach((frame, index) => frame.pixels.fill(index));
        const call = async () => {
          const [image, guideImage] = await Promise.all(leases.map((frame) => frames.send(frame)));
          await worker.call({ phase: 'execute', image, guideImage });
          image?.done();
          guideImage?.done();
        };
        return { round: () => perCall(call), close: () => worker.stop() };
      },
      [NAIVE]: async () => {
        const host = await naiveHost(context, root, images);
        return { round: () => perCall(host.call), close: () => host.close() };
      },
    };
  },
};

const mappedCopy: BenchCase = {
  name: 'frames/copy',
  measures: 'A frame of 1920 x 1200 copied into the mapped pool, and a plain memory copy of that size',
  figures: { copy: { unit: 'ms' } },
  bars: [{ figure: 'copy', contestant: 'ours', over: 'memory copy', atMost: 1.3 }],
  rounds: 15,
  open(context) {
    const frames = new context.library.main.FramePool();
    context.onClose(() => frames.close());
    const data = new Uint8Array(BYTES).fill(7);
    const target = new Uint8Array(BYTES);
    const perCopy = async (copy: () => unknown) => ({ copy: median(await each(50, copy)) });
    return Promise.resolve({
      ours: () => ({
        round: () => perCopy(async () => (await frames.send({ data, ...SHAPE })).done()),
      }),
      'memory copy': () => ({ round: () => perCopy(() => target.set(data)) }),
    });
  },
};

export const cases: BenchCase[] = [handingOver, mappedCopy];
