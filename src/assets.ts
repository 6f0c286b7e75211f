import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunnerError } from './errors.js';

/** One of the files that ship beside the compiled modules: where it is, the others are. */
const MARK = 'worker/launch.py';

const checked = new Set<string>();

/**
 * Absolute path of a file that ships beside the compiled modules, such as `validation/probe.py`.
 * This is the one place that knows where the package lies on disk; in a bundle it does not, and the host says so in the
 * variable `PROCVISION_ASSETS`.
 *
 * @throws RunnerError `start_failed` where the files are not there
 */
export function assetPath(relative: string): string {
  const given = process.env.PROCVISION_ASSETS;
  const folder = given ? path.resolve(given) : ownFolder();
  if (!checked.has(folder)) {
    if (!existsSync(path.join(folder, MARK))) throw noAssets(folder);
    checked.add(folder);
  }
  return path.join(folder, relative);
}

function ownFolder(): string {
  // Some bundlers leave `import.meta` empty.
  const url = import.meta.url as string | undefined;
  return url?.startsWith('file:') ? fileURLToPath(new URL('.', url)) : path.dirname(process.argv[1] ?? '.');
}

function noAssets(folder: string): RunnerError {
  return new RunnerError(
    'start_failed',
    `The Python files of procvision-runner are not in ${folder}: a bundler leaves them out. Ship the folder dist of the ` +
      'package with the bundle, and name it in the environment variable PROCVISION_ASSETS',
    { details: { path: folder } },
  );
}
