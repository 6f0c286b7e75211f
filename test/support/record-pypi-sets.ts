/**
 * Records what wheels of the package index say of themselves, sets of requirements on them, and what the newest pip chooses
 * for each, for `test/python/recorded-sets.test.ts`. Needs the index and a Python 3.11:
 *
 *     npx tsx test/support/record-pypi-sets.ts [sets]
 *
 * With `sets` the recorded wheels stay, and sets on them are drawn anew.
 *
 * pip is asked for the projects that a package for inspection may have, today's and earlier ones, and answers with the
 * METADATA of all that they lead to: no wheel is fetched. Requirement lines are those that the wheels write themselves.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { newestPip } from './newest-pip.js';
import { PipChoices, writeSet, type Answer } from './pip-choices.js';
import {
  packedSets,
  RECORDED_SETS,
  recordedSets,
  type RecordedSet,
  type RecordedWheel,
} from './recorded-sets.js';
import { Dice } from './wheel-sets.js';

const SETS = 500;

/** What pip is asked for, a line of its command line each. */
const ASKED = [
  'opencv-python opencv-python-headless numpy',
  'opencv-python<4.9 numpy<2',
  'scikit-image[optional] pandas matplotlib',
  'scikit-image<0.21 scipy<1.10 numpy<1.25',
  'scikit-image<0.23 matplotlib<3.8 pandas<2.1 pillow<10',
  'onnx onnxruntime onnxscript',
  'onnx<1.15 onnxruntime<1.17 protobuf<4',
  'onnxruntime<1.20 protobuf<5 sympy<1.13',
  'scikit-learn[plots] joblib threadpoolctl',
  'scikit-learn<1.3 joblib<1.3 scipy<1.11',
  'albumentations',
  'albumentations<1.4 opencv-python-headless<4.9',
  'imageio[ffmpeg,tifffile] tifffile[all]',
  'imageio<2.32 tifffile<2023',
  'kornia torchvision',
  'torch<2.2 torchvision<0.17 numpy<2',
  'torch<2.6 torchvision',
  'ultralytics',
  'timm<1 huggingface-hub<0.24',
  'shapely networkx[default] lazy-loader',
  'numba llvmlite',
  'numba<0.59 llvmlite',
  'pydantic fastapi uvicorn[standard]',
  'pydantic<2 fastapi<0.100 starlette',
  'requests[socks] httpx[http2] urllib3',
  'requests<2.30 urllib3<2 chardet<5',
  'jupyterlab<4.1 notebook<7.1',
  'dask[array,dataframe] distributed',
  'dask<2023.12 fsspec<2024',
  'polars pyarrow',
  'pyzbar pylibdmtx easyocr',
  'rapidocr-onnxruntime',
  'paho-mqtt pymodbus asyncua',
  'PyYAML ruamel.yaml jsonschema[format] click<8.2',
  'pytest pytest-cov hypothesis coverage[toml]',
  'pytest<8 pluggy attrs<23',
  'setuptools<70 wheel packaging<24 typing-extensions<4.9',
  'cryptography pyopenssl cffi<1.17',
  'SQLAlchemy[asyncio]<2.1 alembic greenlet',
  'rich tqdm typer<0.12 loguru',
];

interface Reported {
  download_info: { url: string };
  metadata: { requires_dist?: string[]; requires_python?: string; provides_extra?: string[] };
}

const manager = new VenvManager();
const interpreter = (await manager.interpreters()).find(({ version }) => version.startsWith('3.11.'));
if (!interpreter) throw new Error('a Python 3.11 is needed');
const pip = await newestPip(interpreter.path);
if ('reason' in pip) throw new Error(pip.reason);
const facts = await new FactsCache().get(interpreter);
const environment = {
  ...{ tags: [...interpreter.tags], markers: facts.markers, pythonVersion: facts.version },
};
const root = await mkdtemp(path.join(os.tmpdir(), 'pv-record-'));
try {
  const wheels =
    process.argv[2] === 'sets' ? recordedSets().wheels : await recordWheels(interpreter.path, pip.folder);
  const sets = await recordSets(wheels, interpreter.path, pip.folder);
  const packed = packedSets({ environment, wheels, sets });
  await writeFile(RECORDED_SETS, packed);
  tell(`${sets.length} sets on ${wheels.length} wheels, ${packed.length} bytes`);
} finally {
  await rm(root, { recursive: true, force: true });
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function recordWheels(python: string, pipFolder: string): Promise<RecordedWheel[]> {
  const wheels = new Map<string, RecordedWheel>();
  for (const asked of ASKED) {
    try {
      for (const wheel of await report(asked, python, pipFolder)) wheels.set(wheel.file, wheel);
      tell(`${wheels.size} wheels after ${asked}`);
    } catch (error) {
      tell(`not: ${asked}: ${(error as Error).message.trim().split('\n').at(-1) ?? ''}`);
    }
  }
  return [...wheels.values()]
    .filter(({ file }) => file.endsWith('.whl'))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** What pip would install, with what it says of itself. */
async function report(asked: string, python: string, pipFolder: string): Promise<RecordedWheel[]> {
  const file = path.join(root, 'report.json');
  const options = ['--dry-run', '--ignore-installed', '--only-binary', ':all:', '--quiet', '--report', file];
  const program = `import sys; sys.path.insert(0, ${JSON.stringify(pipFolder)}); from pip._internal.cli.main import main; sys.exit(main(sys.argv[1:]))`;
  const args = ['-I', '-c', program, 'install', '--isolated', ...options, ...asked.split(' ')];
  await promisify(execFile)(python, args, { timeout: 120_000 });
  const { install } = JSON.parse(await readFile(file, 'utf8')) as { install: Reported[] };
  return install.map(({ download_info: { url }, metadata }) => ({
    file: decodeURIComponent(url.slice(url.lastIndexOf('/') + 1)),
    requires: metadata.requires_dist ?? [],
    python: metadata.requires_python,
    extras: metadata.provides_extra ?? [],
  }));
}

async function recordSets(
  wheels: readonly RecordedWheel[],
  python: string,
  pipFolder: string,
): Promise<RecordedSet[]> {
  const files = Object.fromEntries(wheels.map((wheel) => [wheel.file, metadataText(wheel)]));
  const all = path.join(root, 'all');
  const { folder } = await writeSet(all, { wheels: files, requirements: '', constraints: '' });
  // The order of Python's sets is another in each process.
  const processes = Array.from({ length: 4 }, () => new PipChoices(python, pipFolder));
  const sets: RecordedSet[] = [];
  for (let number = 1; sets.length < SETS; number++) {
    const { requirements, constraints } = drawn(number, wheels);
    const own = path.join(root, `set ${number}`);
    const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
    const written = await writeSet(own, {
      ...{ wheels: {}, requirements: text(requirements), constraints: text(constraints) },
    });
    const set = { folder, requirements: written.requirements };
    const answers = await Promise.all(processes.map((one) => one.ask(set)));
    const byCommandLine = await processes[0]?.ask(set, { cli: true });
    await rm(own, { recursive: true });
    const [answer] = answers;
    const isSure = byCommandLine && new Set([...answers, byCommandLine].map(filesOf)).size === 1;
    if (!answer || !isSure) throw new Error(`pip disagrees with itself on ${requirements.join()}`);
    if (!('chosen' in answer)) {
      // pip's own faults say nothing of what is to be chosen.
      if (answer.failed !== 'RecursionError') sets.push({ requirements, constraints, failed: answer.failed });
      continue;
    }
    const { chosen } = answer;
    sets.push({
      ...{ requirements, constraints },
      chosen: chosen.map(([file]) => wheels.findIndex((wheel) => wheel.file === file)),
      requested: chosen.flatMap(([, requested], place) => (requested ? [place] : [])),
      ...(new Set(answers.map((one) => JSON.stringify(one))).size > 1 && { isInTurn: true }),
    });
    if (sets.length % 50 === 0) tell(`${sets.length} sets`);
  }
  for (const one of processes) await one[Symbol.asyncDispose]();
  return sets;
}

/** Which files pip takes, in whatever order. */
function filesOf(answer: Answer): string {
  if (!('chosen' in answer)) return 'failed';
  return answer.chosen
    .map(([file, requested]) => `${file} ${requested}`)
    .sort()
    .join();
}

function nameOf(text: string): string {
  return (/^[\w.-]+/.exec(text)?.[0] ?? '').toLowerCase().replace(/[-_.]+/g, '-');
}

function partsOf(file: string): { name: string; version: string } {
  const [name = '', version = ''] = file.split('-');
  return { name: nameOf(name), version };
}

/** A set of its number, of lines that wheels write. */
function drawn(
  number: number,
  wheels: readonly RecordedWheel[],
): Pick<RecordedSet, 'requirements' | 'constraints'> {
  const dice = new Dice(number);
  const names = new Set(wheels.map(({ file }) => partsOf(file).name));
  const written = wheels.flatMap(({ requires }) => requires).filter((line) => names.has(nameOf(line)));
  const line = () => {
    const wheel = dice.one(wheels);
    const { name, version } = partsOf(wheel.file);
    const kind = dice.roll(20);
    if (kind < 3) return `${name}==${version}`;
    if (kind < 6) return name;
    if (kind < 8 && wheel.extras.length > 0) return `${name}[${dice.one(wheel.extras)}]`;
    const found = dice.one(written);
    return dice.once(4) ? found : found.replace(/;.*$/, '').trim();
  };
  const limit = () => {
    const { name, version } = partsOf(dice.one(wheels).file);
    return `${name}${dice.one(['<', '<=', '!=', '>=', '=='])}${version}`;
  };
  const some = (make: () => string, most: number) => [
    ...new Set(Array.from({ length: 1 + dice.roll(most) }, make)),
  ];
  return {
    requirements: [...(dice.once(20) ? ['--pre'] : []), ...some(line, 5)],
    constraints: dice.once(5) ? some(limit, 3) : [],
  };
}

function metadataText({ file, requires, python, extras }: RecordedWheel): string {
  const { name, version } = partsOf(file);
  return [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${version}`,
    ...(python === undefined ? [] : [`Requires-Python: ${python}`]),
    ...extras.map((extra) => `Provides-Extra: ${extra}`),
    ...requires.map((line) => `Requires-Dist: ${line}`),
    '',
    '',
  ].join('\n');
}
