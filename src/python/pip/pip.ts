import { readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import type { Wheel } from '../../package/types.js';
import { parseWheelName } from '../../package/wheel-name.js';
import { baseInterpreter } from '../../process/base-interpreter.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run, type RunResult } from '../../process/run.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import { NAMED_PYTHON } from '../environments/scripts.js';
import type { Venv } from '../types.js';
import { inTemporaryFolder } from '../../store/temporary-folder.js';

export interface PipRun extends OperationOptions {
  venv: Venv;
  /** Folder or wheel that holds pip. */
  pip: string;
  wheelsFolder: string;
  /** Lines of a requirements file, and of one with constraints. */
  requirements: readonly string[];
  constraints?: readonly string[];
  /** Options of the installation besides those that keep it in the package. */
  args?: readonly string[];
  timeoutMs: number;
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  onUnpacked?: (bytes: number) => void;
}

/** What pip wrote; whether it succeeded is its exit code. */
export interface PipResult extends RunResult {
  output: string[];
}

const COUNT_MARK = '\u001e';

/**
 * Runs pip inside the environment on the wheels of one folder alone. Nothing of the host's pip configuration or
 * environment reaches it, and the runner refuses every connection, archives from elsewhere and other programs.
 */
export async function runPip(options: PipRun): Promise<PipResult> {
  const { venv, requirements, constraints = [] } = options;
  // Beside what is installed: the system's temp dir may be missing, full or read-only, where the store has room.
  const inFolder = async (folder: string): Promise<PipResult> => {
    const file = path.join(folder, 'requirements.txt');
    await writeFile(file, `${requirements.join('\n')}\n`);
    const limits = path.join(folder, 'constraints.txt');
    if (constraints.length > 0) await writeFile(limits, `${constraints.join('\n')}\n`);
    const output: string[] = [];
    const own = { command: venv.python, executable: undefined };
    const base = process.platform === 'win32' ? own : baseInterpreter(venv.python);
    const isOwn = base.executable === undefined;
    // A launcher for Windows is made for an interpreter that is there.
    const scripted = process.platform === 'win32' ? venv.python : NAMED_PYTHON;
    const args = [
      ...['-I', ...(isOwn ? [] : ['-S']), '-B', '-X', 'utf8'],
      ...[assetPath('python/pip/pip_runner.py'), options.pip, scripted, options.wheelsFolder],
      ...[
        'install',
        '--isolated',
        '--no-input',
        '--no-cache-dir',
        '--disable-pip-version-check',
        '--no-color',
      ],
      ...['--no-index', '--find-links', options.wheelsFolder, '--only-binary', ':all:', '--retries', '0'],
      ...['--progress-bar', 'off', '--no-warn-script-location', '--no-compile'],
      ...(options.args ?? []),
      ...(constraints.length > 0 ? ['--constraint', limits] : []),
      ...['--requirement', file],
    ];
    const result = await run(base.command, args, {
      cwd: folder,
      env: pythonEnvironment({
        // For whatever is not Python's own socket module: proxies that lead nowhere.
        HTTP_PROXY: NOWHERE,
        HTTPS_PROXY: NOWHERE,
        ALL_PROXY: NOWHERE,
        ...(!isOwn && { PROCVISION_ENVIRONMENT: venv.dir, PROCVISION_PACKAGES: venv.sitePackages }),
        TMPDIR: folder,
        TEMP: folder,
        TMP: folder,
      }),
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      maxOutputBytes: 8 << 20,
      onLine: (line, stream) => {
        if (line.startsWith(COUNT_MARK)) {
          options.onUnpacked?.(Number(line.slice(1)));
          return;
        }
        output.push(line);
        options.onLine?.(line, stream);
      },
    });
    return { ...result, output };
  };
  return inTemporaryFolder('.procvision-pip-', inFolder, venv.dir);
}

/** A port that nothing listens on, on this machine. */
const NOWHERE = 'http://127.0.0.1:9';

/**
 * Where to take pip from: the interpreter's own or its ensurepip's, else a wheel of pip in the package.
 * Undefined when there is none.
 */
export function choosePip(
  facts: PythonFacts,
  wheelsFolder: string,
  wheels: readonly Wheel[],
): string | undefined {
  const own = facts.pips[0]?.location;
  if (own !== undefined) return own;
  const wheel = wheels.find(({ name, tags }) => name === 'pip' && tags.includes('py3-none-any'));
  return wheel && path.join(wheelsFolder, wheel.file);
}

/** What to do where there is no pip at all. */
export function noPip(
  interpreter: { path: string; version: string },
  platform: NodeJS.Platform = process.platform,
): RunnerError {
  const minor = interpreter.version.split('.').slice(0, 2).join('.');
  const remedies: Partial<Record<NodeJS.Platform, string>> = {
    linux: `install python3-pip or python${minor}-venv (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip)`,
    win32: 'run the installer of python.org again and choose "pip" among its optional features',
    darwin: `run ${interpreter.path} -m ensurepip, or install Python from python.org or Homebrew`,
  };
  return new RunnerError(
    'install_failed',
    `${interpreter.path} has no pip, no ensurepip, and the package brings no wheel of pip: ` +
      `${remedies[platform] ?? 'install pip for it'}, or add a wheel of pip to the package`,
    { details: { path: interpreter.path, stage: 'interpreter' } },
  );
}

/** The wheels in a folder, by their names; files that are no wheels are left out. */
export async function listWheels(folder: string): Promise<Wheel[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new RunnerError(
      'wheels_missing',
      `The wheels folder ${folder} cannot be read: ${(cause as Error).message}`,
      {
        cause,
        details: { path: folder },
      },
    );
  }
  const wheels: Wheel[] = [];
  for (const name of names.filter((one) => one.endsWith('.whl')).sort()) {
    const { size } = await stat(path.join(folder, name));
    const wheel = parseWheelName(name, size);
    if (wheel) wheels.push(wheel);
  }
  return wheels;
}
