/** Algorithms on the real packages of the field, deployed: what a station runs. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Registry } from '../../src/index.js';
import type { BenchContext } from '../harness/case.js';
import { pinsOf } from './pins.js';
import { pinnedWheels, wheelFiles } from './wheels.js';

export interface Subject {
  /** As people call it. */
  readonly title: string;
  /** Name of the deployed package. */
  readonly name: string;
  /** Names of its wheels in `sets/vision.txt`, or else in `sets/large.txt`. */
  readonly packages: readonly string[];
  /** What its module imports. */
  readonly imports: string;
  /** What makes a number of `picture`, an array of NumPy. */
  readonly work: string;
}

const ONNX = ['numpy', 'onnxruntime', 'flatbuffers', 'packaging', 'protobuf'];

export const NUMPY: Subject = {
  ...{ title: 'NumPy', name: 'numpy-subject', packages: ['numpy'] },
  ...{ imports: 'import numpy', work: 'picture.mean()' },
};
export const OPENCV: Subject = {
  ...{ title: 'OpenCV', name: 'opencv-subject', packages: ['numpy', 'opencv-python-headless'] },
  ...{ imports: 'import cv2', work: 'cv2.blur(picture, (5, 5)).mean()' },
};
export const ONNX_RUNTIME: Subject = {
  ...{ title: 'ONNX Runtime', name: 'onnx-subject', packages: ONNX },
  ...{ imports: 'import onnxruntime', work: 'picture.mean() + len(onnxruntime.get_available_providers())' },
};
/** Everything that the three have. */
export const ALL_THREE: Subject = {
  ...{ title: 'all three', name: 'vision-subject', packages: [...ONNX, 'opencv-python-headless'] },
  ...{ imports: 'import cv2\nimport onnxruntime', work: OPENCV.work },
};

const LEARNING = ['scikit-learn', 'scipy', 'joblib', 'threadpoolctl', 'narwhals', 'cloudpickle'];
/** The same with scikit-learn, which takes the longest to import. */
export const WITH_LEARNING: Subject = {
  ...{ title: 'all three and scikit-learn', name: 'learning-subject', work: OPENCV.work },
  packages: [...ALL_THREE.packages, ...LEARNING],
  imports: `${ALL_THREE.imports}\nimport sklearn.linear_model`,
};

const IMAGING = [
  'scipy',
  'scikit-image',
  'networkx',
  'pillow',
  'imageio',
  'tifffile',
  'lazy-loader',
  'packaging',
];
export const SCIKIT_IMAGE: Subject = {
  ...{ title: 'scikit-image', name: 'skimage-subject', packages: ['numpy', ...IMAGING] },
  // By name: its modules load what they have when it is asked for.
  imports: 'from skimage.filters import gaussian\nfrom skimage.measure import label, regionprops',
  work: 'gaussian(picture).mean()',
};

export const SUBJECTS: readonly Subject[] = [NUMPY, OPENCV, ONNX_RUNTIME];

const algorithmOf = ({ name, imports, work }: Subject, version: string) => `${imports}
import numpy
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "${name}", "version": "${version}", "description": "bench", "supported_pids": ["A"],
                "steps": [{"index": 1, "name": "look", "params": []}]}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return {"status": "OK", "message": "", "data": {"calibration_rects": []}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        picture = numpy.asarray(read_image_from_shared_memory(shared_mem_id, image_meta))
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [],
                "debug": {"value": float(${work}), "version": "${version}"}}}
`;

/** Opens a store with these subjects in it, in each version, closed at the end of the case. */
export async function deploySubjects(
  context: BenchContext,
  subjects: readonly Subject[],
  versions: readonly string[] = ['1.0.0'],
): Promise<Registry> {
  const { main } = context.library;
  const registry = await main.Registry.open(path.join(context.folder, 'store'), { durability: 'none' });
  context.onClose(() => registry.close());
  const deployer = new main.Deployer({ registry });
  for (const subject of subjects) {
    for (const version of versions) await deployer.install(await subjectPackage(context, subject, version));
  }
  await deployer.close();
  return registry;
}

/** The package of a subject. */
export async function subjectPackage(
  context: BenchContext,
  subject: Subject,
  version = '1.0.0',
): Promise<string> {
  const wheels = await wheelFiles(await subjectWheels(context, subject));
  const requirements = ['procvision_algorithm_sdk', ...subject.packages, ''].join('\n');
  const zip = path.join(context.folder, `${subject.name}-v${version}-offline.zip`);
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': algorithmOf(subject, version) };
  const about = { name: subject.name, version, pids: ['A'] };
  const source = { ...about, files, wheels, requirements, stored: true };
  await writeFile(zip, await context.library.testing.buildPackage(source));
  return zip;
}

/** The wheels of a subject, pinned. */
export async function subjectWheels(context: BenchContext, { packages }: Subject) {
  const nameOf = (pin: string) => pin.split('==')[0] ?? '';
  const vision = await pinsOf('vision');
  const known = new Set(vision.map(nameOf));
  const pins = [...vision, ...(await pinsOf('large')).filter((pin) => !known.has(nameOf(pin)))];
  const own = pins.filter((pin) => packages.includes(nameOf(pin)));
  return pinnedWheels(context, own);
}
