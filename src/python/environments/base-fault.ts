import { lstat, stat } from 'node:fs/promises';
import type { OperationOptions } from '../../abort.js';
import { baseInterpreter } from '../../process/base-interpreter.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';
import { pythonIn } from './environment-paths.js';

/** What became of the interpreter that an environment was made from. */
export interface BaseFault {
  /** Absolute. */
  path: string;
  kind: 'missing' | 'changed';
}

const ASK_MS = 20_000;

type Looked = { version?: string; platform?: NodeJS.Platform } & OperationOptions;

/**
 * What is wrong with the Python that an environment was made from, which no file of the environment tells. One of another
 * minor version does not find what is installed. An environment without an interpreter has none.
 *
 * @param version - with which the environment was made; when given, the interpreter is started and asked for its own
 */
export async function findBaseFault(environment: string, o: Looked = {}): Promise<BaseFault | undefined> {
  return faultBelow(pythonIn(environment), o);
}

/** The same, by the environment's interpreter. */
export async function faultBelow(
  python: string,
  { version, signal, platform = process.platform }: Looked,
): Promise<BaseFault | undefined> {
  if (!(await lstat(python).catch(() => undefined))) return undefined;
  const { command, gone } = baseInterpreter(python, platform);
  if (gone !== undefined && (await isGone(gone))) return { path: gone, kind: 'missing' };
  if (!(await stat(command).catch(() => undefined))) return { path: command, kind: 'missing' };
  if (version === undefined) return undefined;
  const { stdout } = await run(
    command,
    ['-I', '-S', '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'],
    {
      ...{ env: pythonEnvironment(), timeoutMs: ASK_MS, signal },
    },
  ).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    return { stdout: '' };
  });
  const isSame = version.startsWith(`${stdout.trim()}.`);
  return isSame ? undefined : { path: command, kind: 'changed' };
}

/** An alias of the Microsoft Store cannot be opened, only seen: it is there. */
async function isGone(file: string): Promise<boolean> {
  return lstat(file).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
  );
}
