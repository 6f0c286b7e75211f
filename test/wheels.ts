/**
 * `npm run test:wheels`: wheels of the package index, pinned, on the Pythons that are here. Each set is installed by this
 * library's installers, linked and by pip, and by pip alone; the three trees must be one, file by file. Then the projects are
 * imported, pip checks and uninstalls them. Every release of the SDK serves a call by both kinds of workers, and onnx reads
 * weights that lie in a linked package.
 *
 * Wheels are kept in pip's cache and in the temp dir, or in PROCVISION_TEST_CACHE, for the next run. Without an index, or a
 * Python, it says so and ends well. WHEELS_ONLY: names of sets, separated by commas.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { VenvManager, type Interpreter, type Venv } from '../src/index.js';
import { environmentTree } from './support/environment-report.js';
import { libraryFault } from './support/hidden-library.js';
import { PINNED_SETS, type PinnedSet } from './support/pinned-wheels.js';
import { sdkCalls } from './support/sdk-calls.js';

const run = promisify(execFile);

/** The releases of the SDK. */
const SDKS = ['0.0.3', '0.0.4', '0.0.5', '0.0.6', '0.0.7', '0.3.0', '0.3.1', '0.3.2'];
/** Sets that are worked on side by side: most of the time one process unpacks or waits for the disk. */
const AT_ONCE = 2;

/** Where pip's scripts for commands differ from release to release: they do the same. */
const OLD_COMMAND =
  /^# -\*- coding: utf-8 -\*-\nimport re\nimport sys\n(from .*\n)(if .*\n) {4}sys\.argv\[0\] = re\.sub\(.*\n/m;
const NEW_COMMAND = "import sys\n$1$2    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n";
/** Of one set. */
const DOWNLOAD_MS = 180_000;
/** What says how RECORDs are to be read, and does no harm without them. */
const RECORDS = '.procvision-records.json';

const count = { right: 0, faults: 0, skipped: 0 };
const tell = (text: string) => process.stdout.write(`${text}\n`);
const skip = (what: string, why: string) => {
  count.skipped++;
  tell(`skipped: ${what}: ${why}`);
};
const recordOutcome = (what: string, fault: string | undefined) => {
  count[fault === undefined ? 'right' : 'faults']++;
  tell(fault === undefined ? `right: ${what}` : `FAULT: ${what}: ${fault}`);
};

const cache = path.join(
  process.env.PROCVISION_TEST_CACHE ?? os.tmpdir(),
  `procvision-test-wheels-${process.getuid?.() ?? 0}`,
);

function download(python: string, folder: string, wheels: readonly string[]): Promise<unknown> {
  const pip = [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--retries',
    '1',
  ];
  return run(python, [...pip, '--only-binary', ':all:', '-d', folder, ...wheels], { timeout: DOWNLOAD_MS });
}

/** Why there is no index; undefined where there is. */
async function indexFault(python: string): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pv-index-'));
  try {
    const fault = await faultOf(() => download(python, folder, ['six==1.17.0', '--no-cache-dir']));
    return fault && `there is no package index: ${fault}`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Wheels from the index in a folder of their own, as they were fetched once; undefined, and said, where there is no index. */
async function fetched(python: string, wheels: readonly string[], key: string): Promise<string | undefined> {
  const folder = path.join(cache, `set ${key}`);
  const mark = path.join(folder, 'complete');
  if (existsSync(mark) && (await readFile(mark, 'utf8')) === wheels.join()) return folder;
  if (noIndex !== undefined) {
    skip(key, noIndex);
    return undefined;
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    await download(python, folder, wheels);
  } catch (error) {
    if (!(error as { killed?: boolean }).killed) throw error;
    noIndex = `the package index did not answer within ${DOWNLOAD_MS} ms`;
    skip(key, noIndex);
    return undefined;
  }
  await writeFile(mark, wheels.join());
  return folder;
}

async function siteTree(venv: Venv): Promise<Record<string, string>> {
  const { ['.procvision-records.json']: _, ...tree } = await environmentTree(venv);
  // Byte code that wheels bring is left out on purpose, and with it its rows.
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([name]) => !name.endsWith('.pyc'))
      .map(([name, content]) => [
        name,
        name.endsWith('/RECORD')
          ? content.replace(/^[^\n]*\.pyc,[^\n]*\n/gm, '')
          : content.replace(OLD_COMMAND, NEW_COMMAND),
      ]),
  );
}

function difference(a: Record<string, string>, b: Record<string, string>): string | undefined {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]);
  return names.length === 0 ? undefined : `${names.length} differ: ${names.slice(-8).join(', ')}`;
}

/** Every file in an environment, byte code as well. */
async function filesIn({ dir }: Venv): Promise<string[]> {
  const found = await readdir(dir, { withFileTypes: true, recursive: true });
  return found.flatMap((one) => (one.isDirectory() ? [] : [path.join(one.parentPath, one.name)]));
}

/** pip of the Python that the environment was made with, for the environment. */
function pipIn(venv: Venv, args: readonly string[]): Promise<unknown> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  return run(venv.interpreter.path, ['-I', '-m', 'pip', '--python', venv.python, ...args], { env });
}

async function installSet(name: string, set: PinnedSet, interpreter: Interpreter): Promise<void> {
  const found = await fetched(interpreter.path, set.wheels, name);
  if (found === undefined) return;
  const root = await mkdtemp(path.join(os.tmpdir(), 'pv-wheels-'));
  try {
    const wheels = path.join(root, 'wheels');
    await mkdir(wheels);
    for (const file of await readdir(found)) {
      if (file.endsWith('.whl')) await copyFile(path.join(found, file), path.join(wheels, file));
    }
    const built = Object.entries(set.built ?? {});
    for (const [file, bytes] of built) await writeFile(path.join(wheels, file), bytes);
    const pins = [...set.wheels, ...built.map(([file]) => file.split('-', 2).join('=='))];
    const requirements = path.join(root, 'requirements.txt');
    await writeFile(requirements, `${pins.join('\n')}\n`);
    const byPip = await new VenvManager().create(path.join(root, 'pip', 'venv'), { interpreter });
    const alone = [
      '--isolated',
      '--no-index',
      '--no-compile',
      '--disable-pip-version-check',
      '--find-links',
      wheels,
    ];
    await pipIn(byPip, ['install', ...alone, '-r', requirements]);
    const expected = await siteTree(byPip);
    for (const installer of ['link', 'pip'] as const) {
      const what = `${name}, Python ${interpreter.version}, installer ${installer}`;
      // No space in the path: it changes the first line of scripts.
      const venvs = new VenvManager({ installer, wheelStore: path.join(root, 'store') });
      const venv = await venvs.create(path.join(root, `by-${installer}`, 'venv'), { interpreter });
      const bare = new Set(await filesIn(venv));
      const { warnings } = await venvs.install(venv, { wheels, requirements });
      await venvs.verify(venv);
      const notes = warnings.length > 0 ? ` (${warnings.length} warnings)` : '';
      recordOutcome(`${what}: the tree of pip${notes}`, difference(await siteTree(venv), expected));
      const imports = set.imports.map((module) => `import ${module}`).join('; ');
      recordOutcome(`${what}: imports`, await faultOf(() => run(venv.python, ['-I', '-B', '-c', imports])));
      if (set.systemLibrary !== undefined)
        recordOutcome(`${what}: its libraries`, await libraryFault(venv, set.systemLibrary));
      recordOutcome(`${what}: pip check`, await faultOf(() => pipIn(venv, ['check'])));
      const { program } = set;
      if (program !== undefined)
        recordOutcome(
          `${what}: ${program.what}`,
          await faultOf(() => run(venv.python, ['-I', '-B', '-c', program.text])),
        );
      await pipIn(venv, ['uninstall', '-y', ...pins.map((one) => one.split('==', 1)[0] ?? '')]);
      const left = (await filesIn(venv)).filter((file) => !bare.has(file) && !file.endsWith(RECORDS));
      recordOutcome(
        `${what}: uninstalled by pip`,
        left.length > 0 ? `${left.length} left: ${left.slice(0, 5).join()}` : undefined,
      );
    }
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function faultOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split('\n').slice(-2).join(' ').slice(0, 300);
  }
}

const startedAt = performance.now();
const only = process.env.WHEELS_ONLY?.split(',');
const interpreters = await new VenvManager().interpreters();
const ofMinor = (minor: string) => interpreters.find(({ version }) => version.startsWith(`${minor}.`));
const sdkPython = ofMinor('3.11') ?? interpreters[0];
let noIndex = sdkPython ? await indexFault(sdkPython.path) : 'there is no Python';

const sets = Object.entries(PINNED_SETS).map(([name, set]) => ({
  name,
  work: async () => {
    const interpreter = ofMinor(set.python);
    if (interpreter) await installSet(name, set, interpreter);
    else skip(name, `there is no Python ${set.python}`);
  },
}));
const sdks = SDKS.map((version) => ({
  name: `sdk ${version}`,
  work: async () => {
    const wheels = [`procvision_algorithm_sdk==${version}`, 'numpy==1.26.4', 'pillow==10.4.0'];
    const folder = await fetched(sdkPython?.path ?? '', wheels, `sdk ${version}`);
    if (folder === undefined) return;
    for (const answer of await sdkCalls(version, folder)) recordOutcome(answer.what, answer.fault);
  },
}));
const waiting = [...sets, ...sdks].filter(({ name }) => only?.includes(name) ?? true).values();
const lane = async () => {
  for (const { name, work } of waiting) {
    const fault = await faultOf(work);
    if (fault !== undefined) recordOutcome(name, fault);
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, lane));
const seconds = Math.round((performance.now() - startedAt) / 1000);
tell(`${count.right} right, ${count.faults} faults, ${count.skipped} skipped in ${seconds} s`);
process.exitCode = count.faults > 0 ? 1 : 0;
