/** The library, with a package that does the work of the peers, deployed as it would be on a station. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FramePool, ImageInput, Registry, SupervisorPolicy, WorkerFlavour } from '../../src/index.js';
import type { BenchContext } from '../harness/case.js';
import { numpyWheels, wheelFiles } from '../support/wheels.js';
import type { Peer, Picture } from './peer.js';
import { PYTHON_FILES } from './processes.js';

export const CROP = { name: 'crop', version: '1.0.0' };
export const CROP_PRODUCT = 'P';

const ALGORITHM = `from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
from .crop import mean_of_crop
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "crop", "version": "1.0.0", "description": "mean of a crop", "supported_pids": ["P"],
                "steps": [{"index": 1, "name": "look", "params": []}]}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return {"status": "OK", "message": "", "data": {"calibration_rects": []}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        mean = mean_of_crop(read_image_from_shared_memory(shared_mem_id, image_meta))
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": {"mean": mean}}}
`;

const stores = new WeakMap<BenchContext, Promise<Registry>>();

/** A store with the package in it, active for its product id. One for a case. */
export function cropStore(context: BenchContext): Promise<Registry> {
  let store = stores.get(context);
  if (!store) stores.set(context, (store = deploy(context)));
  return store;
}

async function deploy(context: BenchContext): Promise<Registry> {
  const { main } = context.library;
  const registry = await main.Registry.open(path.join(context.folder, 'crop-store'));
  context.onClose(() => registry.close());
  // A process of the same case may have deployed it.
  if (!(await registry.get(CROP.name, CROP.version))) await install(context, registry);
  return registry;
}

async function install(context: BenchContext, registry: Registry): Promise<void> {
  const { main, testing } = context.library;
  const zip = path.join(context.folder, 'crop-v1.0.0-offline.zip');
  const files = {
    'algorithm/__init__.py': '',
    'algorithm/crop.py': await readFile(path.join(PYTHON_FILES, 'crop.py'), 'utf8'),
    'algorithm/main.py': ALGORITHM,
  };
  const wheels = await wheelFiles(await numpyWheels(context));
  const requirements = 'procvision_algorithm_sdk\nnumpy\n';
  const source = { ...CROP, pids: [CROP_PRODUCT], files, wheels, requirements, stored: true };
  await writeFile(zip, await testing.buildPackage(source));
  const deployer = new main.Deployer({ registry });
  await deployer.install(zip);
  await deployer.close();
  await registry.activate({ ...CROP, pids: [CROP_PRODUCT] });
}

/** Fills frames of a pool; they are released when the case ends. */
export function framesOf(context: BenchContext, pool: FramePool, pictures: readonly Picture[]) {
  return Promise.all(
    pictures.map(async ({ data, width, height }) => {
      const frame = await pool.lease({ width, height, channels: 3 });
      frame.pixels.set(data);
      context.onClose(() => frame.release());
      return frame;
    }),
  );
}

function ours(
  name: string,
  worker: WorkerFlavour,
  { inPlace = false, policy }: { inPlace?: boolean; policy?: Partial<SupervisorPolicy> } = {},
): Peer {
  return {
    name,
    prepare: cropStore,
    async start(context, workers) {
      const { AlgorithmSupervisor, FramePool } = context.library.main;
      const registry = await cropStore(context);
      const frames = new FramePool();
      const supervisor = new AlgorithmSupervisor({ registry, worker, frames, policy });
      await supervisor.start(CROP.name, CROP.version, { workers });
      const inspect = async (image: ImageInput) => {
        const result = await supervisor.execute({ pid: CROP_PRODUCT, stepIndex: 1, image });
        if (result.status !== 'OK') throw new Error(result.message);
        return (result.data.debug as { mean: number }).mean;
      };
      return {
        load: async (pictures) => {
          const images = inPlace ? await framesOf(context, frames, pictures) : pictures;
          return images.map((image) => () => inspect(image));
        },
        close: async () => {
          await supervisor.close();
          await frames.close();
        },
      };
    },
  };
}

export const oursInPlace = ours('ours, in place', 'bundled', { inPlace: true });
export const oursUnproven = ours('ours, in place, proof off', 'bundled', {
  ...{ inPlace: true, policy: { proof: 'off' } },
});
export const oursCopied = ours('ours, copied in', 'bundled');
export const oursSdk = ours('ours, SDK worker', 'sdk');
