/** Interpreters, found as the library finds them, and processes of them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Unavailable, type BenchContext } from '../harness/case.js';

export const execute = promisify(execFile);

/** Path of an interpreter of this version (`3.11`), or of the one that the library takes when any will do. */
export async function pythonOf({ library }: BenchContext, version?: string): Promise<string> {
  const { RunnerError, VenvManager } = library.main;
  const need = version === undefined ? {} : { pythonVersion: version };
  try {
    return (await new VenvManager().select(need)).path;
  } catch (error) {
    if (!RunnerError.is(error, 'incompatible_python')) throw error;
    throw new Unavailable(error.message);
  }
}

/** Environment of a comparator: nothing of the host's own Python reaches it, as with the library's subprocesses. */
export function bareEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PYTHON'));
  return {
    ...Object.fromEntries(kept),
    ...{ PYTHONNOUSERSITE: '1', PYTHONUNBUFFERED: '1', PYTHONIOENCODING: 'utf-8' },
    ...extra,
  };
}
