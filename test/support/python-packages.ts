import { execFile } from 'node:child_process';
import { access, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * A Python with packages from the index, kept for the next run; undefined where there is no index, or none of them fits this
 * Python.
 *
 * @param interpreter - what its environment is made with; `timeoutMs`: how long the install may take
 */
export async function pythonWith(
  name: string,
  requirements: readonly string[],
  { interpreter = 'python3', timeoutMs = 120_000 } = {},
): Promise<string | undefined> {
  const cache = process.env.PROCVISION_TEST_CACHE ?? os.tmpdir();
  const folder = path.join(cache, `pv-test-env-${process.getuid?.() ?? 0}`, name);
  const python = path.join(folder, 'bin', 'python');
  const mark = path.join(folder, 'complete');
  if (await exists(mark)) return python;
  try {
    await rm(folder, { recursive: true, force: true });
    await execute(interpreter, ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    await execute(python, [...pip, ...requirements], { timeout: timeoutMs });
    await execute(python, ['-c', `open(${JSON.stringify(mark)}, "w")`]);
    return python;
  } catch {
    return undefined;
  }
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
