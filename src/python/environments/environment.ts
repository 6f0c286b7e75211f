import { lstat, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { asInstallError } from '../../store/store-error.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';
import { pythonIn } from './environment-paths.js';
import { fullMark, markOfFile } from '../interpreters/facts-file.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import { refusedBySystem } from '../system-refusal.js';
import { forgetPlace } from './relocatable.js';
import { RememberedEnvironments } from './remembered.js';
import type { Interpreter, Venv } from '../types.js';

/** What making an environment needs. */
export interface MakeOptions extends OperationOptions {
  interpreter: Interpreter;
  facts: PythonFacts;
  finalDir?: string;
  /** File that keeps what was made before. */
  memory?: string | undefined;
  timeoutMs: number;
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
}

/**
 * Makes a virtual environment without pip in it, which takes a tenth of a second where one with pip takes five: its
 * own copy of pip is not needed, and is not there where a Python has no ensurepip.
 */
export async function makeEnvironment(dir: string, options: MakeOptions): Promise<Venv> {
  const { interpreter, facts } = options;
  await requireEmpty(dir);
  // An interpreter that came with the package is the package's to put right.
  const isOfPackage = interpreter.path.startsWith(path.dirname(path.resolve(dir)) + path.sep);
  const stage = isOfPackage ? undefined : 'interpreter';
  if (!facts.has_venv) throw noVenvModule(interpreter, stage);
  const venv = describeEnvironment(dir, interpreter, facts, options.finalDir);
  try {
    throwIfAborted(options.signal, `environment in ${venv.dir}`);
    const mark = await fullMark((await markOfFile(interpreter.path)) ?? '', facts);
    const remembered = options.memory === undefined ? undefined : new RememberedEnvironments(options.memory);
    if (await remembered?.make(venv, mark)) return venv;
    await mkdir(path.dirname(venv.dir), { recursive: true });
    const result = await run(
      interpreter.path,
      // Without site: nothing that the base interpreter's packages hook into its start is wanted here.
      ['-I', '-S', '-X', 'utf8', '-m', 'venv', '--without-pip', venv.dir],
      {
        env: pythonEnvironment(),
        timeoutMs: options.timeoutMs,
        signal: options.signal,
        onLine: options.onLine,
      },
    );
    if (result.exitCode !== 0) {
      const output = `${result.stdout}\n${result.stderr}`.trim().split('\n');
      const details = { path: venv.dir, output, exitCode: result.exitCode };
      const doing = `make an environment in ${venv.dir}`;
      throw (
        refusedBySystem(output, doing, details) ??
        new RunnerError(
          'install_failed',
          `${interpreter.path} could not make an environment in ${venv.dir}: ${output.at(-1) ?? ''}`,
          { details: { ...details, stage } },
        )
      );
    }
    await forgetPlace(venv);
    await remembered?.remember(venv, mark);
    return venv;
  } catch (error) {
    await rm(venv.dir, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined); // the disk, most likely
    throw asInstallError(error, `make an environment in ${venv.dir}`);
  }
}

/** Where things are in an environment of this interpreter. */
export function describeEnvironment(
  dir: string,
  interpreter: Interpreter,
  facts: PythonFacts,
  finalDir?: string,
): Venv {
  const absolute = path.resolve(dir);
  return {
    dir: absolute,
    python: pythonIn(absolute),
    sitePackages: path.join(absolute, facts.schemes.purelib),
    interpreter,
    ...(finalDir !== undefined &&
      path.resolve(finalDir) !== absolute && { finalDir: path.resolve(finalDir) }),
  };
}

/** Values of `pyvenv.cfg`, by lower-case key; undefined where there is none. */
export async function readPyvenvCfg(dir: string): Promise<Map<string, string> | undefined> {
  const text = await readFile(path.join(dir, 'pyvenv.cfg'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const [key, ...rest] = line.split('=');
      return key !== undefined && rest.length > 0 ? [[key.trim().toLowerCase(), rest.join('=').trim()]] : [];
    }),
  );
}

async function requireEmpty(dir: string): Promise<void> {
  const there = await lstat(dir).catch(() => undefined);
  if (!there) return;
  if (there.isDirectory() && (await readdir(dir)).length === 0) return;
  throw new RunnerError(
    'invalid_params',
    `${dir} is there already and not empty: no environment is made in it`,
    {
      details: { path: dir },
    },
  );
}

/** What to do where a Python cannot make environments. */
export function venvRemedy(interpreter: Interpreter, platform: NodeJS.Platform = process.platform): string {
  const minor = interpreter.version.split('.').slice(0, 2).join('.');
  const remedies: Partial<Record<NodeJS.Platform, string>> = {
    linux: `install python${minor}-venv (Debian, Ubuntu: apt install python${minor}-venv; Fedora: dnf install python3-libs)`,
    win32:
      'use an interpreter from the full installer of python.org: the embeddable package has no venv module',
    darwin: 'use the Python of python.org or of Homebrew',
  };
  return remedies[platform] ?? 'install it, or name another interpreter';
}

function noVenvModule(interpreter: Interpreter, stage: string | undefined): RunnerError {
  return new RunnerError(
    'install_failed',
    `${interpreter.path} has no module venv: ${venvRemedy(interpreter)}`,
    { details: { path: interpreter.path, interpreters: [{ ...interpreter, tags: [] }], stage } },
  );
}
