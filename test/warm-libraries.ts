/**
 * `npm run test:warm`: libraries of the package index, pinned, in forked workers. For each: a worker is started cold, then
 * twenty are forked, one after the other; each answers two calls that use the library's threads, and must give the cold
 * worker's values, with the threads of all that works.
 *
 * Environments are kept in the temp dir, or in PROCVISION_TEST_CACHE. Without an index it says so and ends well. WARM_ONLY: names
 * of sets, separated by commas.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { FramePool } from '../src/frames/frame-pool.js';
import { writeAlgorithmFolder } from '../src/testing/algorithm-folder.js';
import { AlgorithmWorker } from '../src/worker/algorithm-worker.js';
import { ForkServer } from '../src/worker/fork-server.js';
import { resolveLimits } from '../src/worker/limits.js';
import { pythonWith } from './support/python-packages.js';

const FORKS = 20;

interface Library {
  requirements: string[];
  imports: string;
  /** In the constructor. */
  setup?: string;
  /** Copies of OpenBLAS that do not work here: each has its threads from its import, in a fork from its first use. */
  idle: number;
  /** Gives `value`, made of `picture`, an array of NumPy (480, 640, 3). */
  work: string;
}

const LIBRARIES: Record<string, Library> = {
  numpy: {
    idle: 0,
    requirements: ['numpy==2.2.6'],
    imports: 'import numpy',
    work: 'a = picture[:400, :400, 0].astype(numpy.float64)\nvalue = float(numpy.linalg.norm(a @ a.T))',
  },
  opencv: {
    idle: 1,
    requirements: ['numpy==2.2.6', 'opencv-python-headless==4.12.0.88'],
    imports: 'import cv2, numpy',
    work: 'value = [cv2.getNumThreads(), float(cv2.GaussianBlur(cv2.resize(picture, (2000, 1500)), (31, 31), 0).mean())]',
  },
  pillow: {
    idle: 1,
    requirements: ['numpy==2.2.6', 'pillow==11.3.0'],
    imports: 'import numpy\nfrom PIL import Image',
    work: 'value = int(numpy.asarray(Image.fromarray(picture).resize((100, 100), Image.LANCZOS)).astype(int).sum())',
  },
  science: {
    idle: 2,
    requirements: ['numpy==2.2.6', 'scipy==1.15.3', 'scikit-image==0.25.2'],
    imports: 'import numpy, scipy.ndimage, scipy.linalg, skimage.filters, skimage.measure',
    work: `gray = picture[:, :, 0].astype(float)
value = [float(scipy.ndimage.gaussian_filter(gray, 3).sum()), float(skimage.filters.sobel(gray).sum()),
         float(scipy.linalg.svdvals(gray[:200, :200])[0])]`,
  },
  learning: {
    idle: 0,
    requirements: ['numpy==2.2.6', 'scipy==1.15.3', 'scikit-learn==1.7.2'],
    imports: 'import numpy, sklearn.cluster, sklearn.ensemble',
    setup: `data = numpy.random.RandomState(3).rand(400, 8)
self.forest = sklearn.ensemble.RandomForestClassifier(20, random_state=1).fit(data, data[:, 0] > 0.5)`,
    work: `points = picture[::4, ::4].reshape(-1, 3).astype(float)
clusters = sklearn.cluster.KMeans(4, n_init=1, random_state=2).fit(points)
value = [round(float(clusters.inertia_), 3), self.forest.predict(numpy.full((1, 8), picture.mean() / 255)).tolist()]`,
  },
  onnxruntime: {
    idle: 1,
    requirements: ['numpy==2.2.6', 'onnxruntime==1.22.1', 'onnx==1.18.0'],
    imports: 'import numpy, onnxruntime',
    setup: `import onnx
from onnx import helper, TensorProto
node = helper.make_node("MatMul", ["x", "x"], ["y"])
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [300, 300])
model = helper.make_model(helper.make_graph([node], "g", [value("x")], [value("y")]), ir_version=9,
                          opset_imports=[helper.make_opsetid("", 13)])
self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])`,
    work: 'value = float(self.session.run(None, {"x": picture[:300, :300, 0].astype(numpy.float32)})[0].sum())',
  },
};

const indented = (text: string) => text.replaceAll('\n', '\n        ');
const sourceOf = ({ imports, setup = 'pass', work }: Library) => `${imports}
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

class Algorithm(BaseAlgorithm):
    def __init__(self):
        ${indented(setup)}

    def get_info(self):
        return {"name": "sample"}

    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        picture = numpy.asarray(read_image_from_shared_memory(shared_mem_id, image_meta))
        ${indented(work)}
        with open("/proc/self/status") as file:
            threads = next(int(line.split()[1]) for line in file if line.startswith("Threads:"))
        debug = {"value": value, "threads": threads}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": debug}}
`;

/** What an algorithm tells. */
interface Seen {
  value: unknown;
  /** Of its process, after the work. */
  threads: number;
}

const limits = resolveLimits({});

async function answersOf(
  worker: AlgorithmWorker,
  frames: FramePool,
): Promise<{ startMs: number; answers: Seen[] }> {
  try {
    const { startMs } = await worker.start();
    const data = new Uint8Array(640 * 480 * 3).map((_, index) => (index * 7 + (index >> 9)) & 255);
    const image = await frames.send({ data, width: 640, height: 480, channels: 3 });
    const answers: Seen[] = [];
    for (let call = 0; call < 2; call++) {
      const reply = await worker.call({ phase: 'execute', stepIndex: 1, image });
      if (reply.status !== 'OK') throw new Error(reply.message);
      answers.push(reply.data.debug as Seen);
    }
    return { startMs, answers };
  } finally {
    await worker.stop();
  }
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;

/** What is wrong; undefined where nothing is. */
async function tryLibrary(name: string, library: Library): Promise<string | undefined> {
  const python = await pythonWith(`warm-${name}`, library.requirements);
  if (!python) return 'skipped: there is no package index, or no wheel for this Python';
  const root = await mkdtemp(path.join(os.tmpdir(), 'procvision-warm-'));
  const frames = new FramePool();
  try {
    await writeAlgorithmFolder(root, { source: sourceOf(library) });
    const spec = {
      ...{ name, version: '1', root, python, entryPoint: 'main:Algorithm', flavour: 'bundled' as const },
      frameDirectory: await frames.place(name),
    };
    const cold = await answersOf(new AlgorithmWorker(spec, limits), frames);
    const server = await ForkServer.start(spec, limits);
    try {
      if (server.unfit !== undefined) return `is not forked: ${server.unfit}`;
      const times: number[] = [];
      for (let fork = 0; fork < FORKS; fork++) {
        const { startMs, answers } = await answersOf(
          new AlgorithmWorker(spec, { ...limits, executeMs: 20_000 }, undefined, server),
          frames,
        );
        times.push(startMs);
        const spare = library.idle * (os.availableParallelism() - 1);
        const isRight = answers.every(({ value, threads }, call) => {
          const expected = cold.answers[call];
          return isDeepStrictEqual(value, expected?.value) && threads >= (expected?.threads ?? 0) - spare;
        });
        if (!isRight) {
          return `fork ${fork + 1} gives ${JSON.stringify(answers)}, a cold worker ${JSON.stringify(cold.answers)}`;
        }
      }
      const status = await readFile(`/proc/${server.processId}/status`, 'utf8');
      const threads = /^Threads:\s+(\d+)/m.exec(status)?.[1];
      process.stdout.write(
        `right: ${name}: ${FORKS} forks in ${median(times).toFixed(0)} ms each, cold ${cold.startMs.toFixed(0)} ms; ` +
          `${threads} threads in the server, ${JSON.stringify(cold.answers[1])}\n`,
      );
      return undefined;
    } finally {
      await server.stop();
    }
  } finally {
    await frames.close();
    await rm(root, { recursive: true, force: true });
  }
}

const only = process.env.WARM_ONLY?.split(',');
for (const [name, library] of Object.entries(LIBRARIES)) {
  if (only && !only.includes(name)) continue;
  const fault = await tryLibrary(name, library).catch((error: unknown) => String(error));
  if (fault === undefined) continue;
  process.stdout.write(fault.startsWith('skipped') ? `${name} ${fault}\n` : `FAULT: ${name} ${fault}\n`);
  if (!fault.startsWith('skipped')) process.exitCode = 1;
}
