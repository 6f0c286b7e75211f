/**
 * `npm run test:wheels`: wheels of the package index, pinned, on the Pythons that are here. Each set is installed by this
 * library's installers, linked and by pip, and by pip alone; the three trees must be one, file by file. Then the projects are
 * imported, pip checks and uninstalls them. Every release of the SDK serves a call by both kinds of workers.
 *
 * Wheels are kept in pip's cache and in the temp dir for the next run. Without an index, or a Python, it says so and ends well.
 * WHEELS_ONLY: names of sets, separated by commas.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { VenvManager, type Interpreter, type Venv } from '../src/index.js';
import { environmentTree } from './support/environment-report.js';
import { sdkCalls } from './support/sdk-calls.js';

const run = promisify(execFile);

/** Sets of wheels that go together, for one minor version of Python each; together some 60 projects. */
const SETS: Record<string, { python: string; wheels: string[]; imports: string[] }> = {
  'numpy 1': {
    python: '3.8',
    wheels: [
      'numpy==1.24.4',
      'pillow==10.4.0',
      'coverage==7.6.1',
      'zope.interface==7.2',
      'setuptools==75.3.2',
    ],
    imports: ['numpy', 'PIL', 'coverage', 'zope.interface', 'pkg_resources'],
  },
  'both cv2': {
    python: '3.9',
    wheels: ['numpy==1.26.4', 'opencv-python==4.10.0.84', 'opencv-python-headless==4.10.0.84'],
    imports: ['numpy', 'cv2'],
  },
  science: {
    python: '3.10',
    wheels: [
      ...['numpy==1.26.4', 'scipy==1.13.1', 'scikit-image==0.24.0', 'imageio==2.36.1', 'tifffile==2024.9.20'],
      ...['lazy-loader==0.4', 'networkx==3.2.1', 'packaging==24.2', 'pillow==11.0.0', 'pybind11==2.13.6'],
    ],
    imports: ['scipy.ndimage', 'skimage.measure', 'pybind11'],
  },
  onnx: {
    python: '3.11',
    wheels: [
      ...['numpy==2.1.3', 'onnx==1.17.0', 'onnxruntime==1.20.1', 'protobuf==5.29.1', 'flatbuffers==24.3.25'],
      ...['coloredlogs==15.0.1', 'humanfriendly==10.0', 'sympy==1.13.3', 'mpmath==1.3.0', 'packaging==24.2'],
    ],
    imports: ['onnx', 'onnxruntime', 'google.protobuf'],
  },
  tables: {
    python: '3.12',
    wheels: [
      ...[
        'numpy==2.2.0',
        'pandas==2.2.3',
        'python-dateutil==2.9.0.post0',
        'pytz==2024.2',
        'tzdata==2024.2',
        'six==1.17.0',
      ],
      ...[
        'matplotlib==3.10.0',
        'contourpy==1.3.1',
        'cycler==0.12.1',
        'fonttools==4.55.3',
        'kiwisolver==1.4.7',
      ],
      ...['pillow==11.0.0', 'pyparsing==3.2.0', 'packaging==24.2', 'greenlet==3.1.1'],
    ],
    imports: ['pandas', 'matplotlib.figure', 'greenlet'],
  },
  tools: {
    python: '3.13',
    wheels: [
      ...['awscli==1.36.20', 'botocore==1.35.79', 'docutils==0.16', 's3transfer==0.10.4', 'PyYAML==6.0.2'],
      ...[
        'colorama==0.4.6',
        'rsa==4.7.2',
        'pyasn1==0.6.1',
        'jmespath==1.0.1',
        'python-dateutil==2.9.0.post0',
      ],
      ...[
        'urllib3==2.2.3',
        'six==1.17.0',
        'cmake==3.31.2',
        'libclang==18.1.1',
        'coverage==7.6.9',
        'setuptools==75.6.0',
      ],
    ],
    imports: ['awscli', 'botocore', 'yaml', 'cmake', 'clang.cindex', 'coverage'],
  },
};

/** The releases of the SDK, with what they import. */
const SDKS = ['0.0.3', '0.0.4', '0.0.5', '0.0.6', '0.0.7', '0.3.0', '0.3.1', '0.3.2'];

let failures = 0;
const tell = (text: string) => process.stdout.write(`${text}\n`);
const judge = (what: string, fault: string | undefined) => {
  if (fault !== undefined) failures++;
  tell(`${fault === undefined ? 'right' : 'FAULT'}: ${what}${fault === undefined ? '' : `: ${fault}`}`);
};

/** Wheels from the index in a folder of their own, as they were fetched once; undefined where there is no index. */
async function fetched(python: string, wheels: readonly string[], key: string): Promise<string | undefined> {
  const folder = path.join(os.tmpdir(), `procvision-test-wheels-${process.getuid?.() ?? 0}`, `set ${key}`);
  const mark = path.join(folder, 'complete');
  if (existsSync(mark) && (await readFile(mark, 'utf8')) === wheels.join()) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
  try {
    await run(python, [...pip, '--only-binary', ':all:', '-d', folder, ...wheels], { timeout: 240_000 });
  } catch (error) {
    tell(`skipped: ${key}: ${(error as Error).message.trim().split('\n').at(-1) ?? ''}`);
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
        name.endsWith('/RECORD') ? content.replace(/^[^\n]*\.pyc,[^\n]*\n/gm, '') : content,
      ]),
  );
}

function difference(a: Record<string, string>, b: Record<string, string>): string | undefined {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]);
  return names.length === 0 ? undefined : `${names.length} differ: ${names.slice(-8).join(', ')}`;
}

async function installSet(name: string, interpreter: Interpreter): Promise<void> {
  const set = SETS[name];
  if (!set) return;
  const wheels = await fetched(interpreter.path, set.wheels, name);
  if (wheels === undefined) return;
  const root = await mkdtemp(path.join(os.tmpdir(), 'pv-wheels-'));
  try {
    const requirements = path.join(root, 'requirements.txt');
    await writeFile(requirements, `${set.wheels.join('\n')}\n`);
    const plain = new VenvManager();
    const byPip = await plain.create(path.join(root, 'pip', 'venv'), { interpreter });
    const options = [
      '--isolated',
      '--no-index',
      '--no-compile',
      '--disable-pip-version-check',
      '--find-links',
      wheels,
    ];
    const environment = { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } };
    const inside = (venv: Venv, args: string[]) =>
      run(interpreter.path, ['-I', '-m', 'pip', '--python', venv.python, ...args], environment);
    await inside(byPip, ['install', ...options, '-r', requirements]);
    const expected = await siteTree(byPip);
    for (const installer of ['link', 'pip'] as const) {
      const venvs = new VenvManager({ installer, wheelStore: path.join(root, 'store') });
      const venv = await venvs.create(path.join(root, installer === 'pip' ? 'by pip' : installer, 'venv'), {
        interpreter,
      });
      const { warnings } = await venvs.install(venv, { wheels, requirements });
      await venvs.verify(venv);
      const what = `${name}, Python ${interpreter.version}, installer ${installer}`;
      judge(
        `${what}: the tree of pip${warnings.length > 0 ? ` (${warnings.length} warnings)` : ''}`,
        difference(await siteTree(venv), expected),
      );
      const imports = set.imports.map((module) => `import ${module}`).join('; ');
      judge(`${what}: imports`, await faultOf(() => run(venv.python, ['-B', '-c', imports], environment)));
      judge(`${what}: pip check`, await faultOf(() => inside(venv, ['check'])));
      if (installer === 'link') {
        const names = set.wheels.map((one) => one.split('==')[0] ?? '');
        await faultOf(() => inside(venv, ['uninstall', '-y', ...names]));
        const left = (await readdir(venv.sitePackages).catch(() => [])).filter((one) =>
          one.endsWith('.dist-info'),
        );
        judge(`${what}: uninstalled by pip`, left.length === 0 ? undefined : `${left.join(', ')} left`);
      }
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
for (const [name, { python }] of Object.entries(SETS)) {
  if (only && !only.includes(name)) continue;
  const interpreter = ofMinor(python);
  if (!interpreter) tell(`skipped: ${name}: there is no Python ${python}`);
  else judge(name, await faultOf(() => installSet(name, interpreter)));
}
const python = ofMinor('3.11') ?? interpreters[0];
for (const version of SDKS) {
  if (!python || (only && !only.includes('sdk'))) continue;
  const wheels = await fetched(
    python.path,
    [`procvision_algorithm_sdk==${version}`, 'numpy==1.26.4', 'pillow==10.4.0'],
    `sdk ${version}`,
  );
  if (wheels === undefined) continue;
  for (const answer of await sdkCalls(version, wheels)) judge(answer.what, answer.fault);
}
tell(`${failures} faults in ${Math.round((performance.now() - startedAt) / 1000)} s`);
process.exitCode = failures > 0 ? 1 : 0;
