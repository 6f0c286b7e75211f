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

/**
 * What is wrong with the Python that an environment was made from, which no file of the environment tells. One of another
 * minor version does not find what is installed. An environment without an interpreter has none.
 *
 * @param version - with which the environment was made; when given, the interpreter is started and asked for its own
 */
export async function findBaseFault(
  environment: string,
  { version, signal }: { version?: string } & OperationOptions = {},
): Promise<BaseFault | undefined> {
  const python = pythonIn(environment);
  if (!(await lstat(python).catch(() => undefined))) return undefined;
  const { command } = baseInterpreter(python);
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
