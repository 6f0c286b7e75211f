import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundledScript } from './bundled-script.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a program of the repository in a process of its own; gives its stdout. */
export async function runScript(file: string, args: string[] = [], cwd = root): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [await bundledScript(file), ...args], {
    ...{ cwd, timeout: 120_000 },
  });
  return stdout;
}

/** Absolute path of a file of the repository. */
export function repositoryFile(relative: string): string {
  return root + relative;
}
