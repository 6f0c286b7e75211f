/**
 * `npm run test:warm`: libraries of the package index, pinned, in forked workers. For each: a worker is started cold, then
 * twenty are forked, one after the other; each answers two calls that use the library's threads, and must give the cold
 * worker's values, with the threads of all that works, and its log. All of it under the Python of the path, and again under the
 * newest one of the machine: Python 3.12 and later warn of a fork beside threads.
 *
 * Environments are kept in the temp dir, or in PROCVISION_TEST_CACHE. Without an index it says so and ends well. WARM_ONLY: names
 * of sets, separated by commas. WARM_LARGE=1: also those whose wheels are large.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { VenvManager, type Interpreter } from '../src/index.js';
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
  /** The newest minor version of Python 3 that there are wheels for. */
  newest?: number;
  /** Why it is left out without WARM_LARGE. */
  large?: string;
}

/**
 * For Linux on x86-64 the index has torch with CUDA alone: no wheel is below 500 MB, and those after 1.12 need some GB of
 * NVIDIA's wheels beside them. 1.12.1 is the last that has all within itself. For ARM64 there are builds for the CPU.
 */
const TORCH: Pick<Library, 'requirements' | 'newest' | 'large'> =
  process.arch === 'arm64'
    ? { requirements: ['numpy==2.2.6', 'torch==2.9.1'] }
    : {
        requirements: ['numpy==1.26.4', 'torch==1.12.1'],
        newest: 10,
        large: 'the smallest wheel for this processor that needs no others has 776 MB',
      };

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

LIBRARIES.torch = {
  idle: 1,
  ...TORCH,
  imports: 'import numpy, torch',
  setup: `torch.manual_seed(4)
self.layer = torch.nn.Conv2d(3, 16, 5).eval()`,
  work: `x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
with torch.no_grad():
    value = [torch.get_num_threads(), round(float(self.layer(x).mean()), 3), float(torch.mm(x[0, 0, :400, :400], x[0, 1, :400, :400]).sum())]`,
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
): Promise<{ startMs: number; answers: Seen[]; warnings: string[] }> {
  const warnings: string[] = [];
  worker.on('log', ({ message }) => {
    if (message.includes('Warning')) warnings.push(message);
  });
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
    return { startMs, answers, warnings };
  } finally {
    await worker.stop();
  }
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;

/** What is wrong; undefined where nothing is. */
async function tryLibrary(name: string, library: Library, own: Interpreter): Promise<string | undefined> {
  const version = minorOf(own);
  const python = await pythonWith(`warm-${name}-3.${version}`, library.requirements, {
    interpreter: own.path,
    timeoutMs: library.large === undefined ? 120_000 : 900_000,
  });
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
        const { startMs, answers, warnings } = await answersOf(
          new AlgorithmWorker(spec, { ...limits, executeMs: 20_000 }, undefined, server),
          frames,
        );
        times.push(startMs);
        const news = warnings.filter((text) => !cold.warnings.includes(text));
        if (news.length > 0) return `fork ${fork + 1} warns, and a cold worker does not: ${news.join('; ')}`;
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
        `right: ${name} (Python 3.${version}): ${FORKS} forks in ${median(times).toFixed(0)} ms each, cold ${cold.startMs.toFixed(0)} ms; ` +
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

const minorOf = ({ version }: Interpreter) => Number(version.split('.')[1]);

/** The Python of the path, and the newest beside it. */
async function interpreters(): Promise<{ all: Interpreter[]; first: Interpreter; newest: Interpreter }> {
  const all = (await new VenvManager().interpreters())
    .filter(({ implementation }) => implementation === 'cpython')
    .sort((one, other) => minorOf(one) - minorOf(other));
  const { stdout } = await promisify(execFile)('python3', ['-c', 'import sys; print(sys.version_info[1])']);
  const first = all.find((one) => minorOf(one) === Number(stdout));
  const newest = all.at(-1);
  if (!first || !newest) throw new Error('no Python 3.8 or later was found');
  return { all, first, newest };
}

const { all, first, newest } = await interpreters();
const only = process.env.WARM_ONLY?.split(',');
if (first === newest) process.stdout.write(`a newer Python skipped: ${first.path} is the newest here\n`);
for (const [name, library] of Object.entries(LIBRARIES)) {
  if (only && !only.includes(name)) continue;
  const skip = (why: string) => process.stdout.write(`${name} skipped: ${why}\n`);
  if (library.large !== undefined && process.env.WARM_LARGE !== '1') {
    skip(`${library.large}; set WARM_LARGE=1 for it`);
    continue;
  }
  const most = library.newest;
  const fitting = all.filter((one) => most === undefined || minorOf(one) <= most);
  const chosen = most === undefined ? new Set([first, newest]) : new Set(fitting.slice(-1));
  if (chosen.size === 0) skip(`there is no Python 3.${most} or older`);
  for (const python of chosen) {
    const fault = await tryLibrary(name, library, python).catch((error: unknown) => String(error));
    if (fault === undefined) continue;
    const isSkipped = fault.startsWith('skipped');
    process.stdout.write(`${isSkipped ? '' : 'FAULT: '}${name} (Python 3.${minorOf(python)}) ${fault}\n`);
    if (!isSkipped) process.exitCode = 1;
  }
}
