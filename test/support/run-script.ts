import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a TypeScript file of the repository with Node and tsx, as `npm run` would; gives its stdout. */
export async function runScript(file: string, args: string[] = [], cwd = root): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href, file, ...args],
    { cwd, env: { ...process.env, TSX_TSCONFIG_PATH: `${root}tsconfig.json` }, timeout: 120_000 },
  );
  return stdout;
}

/** Absolute path of a file of the repository. */
export function repositoryFile(relative: string): string {
  return root + relative;
}
