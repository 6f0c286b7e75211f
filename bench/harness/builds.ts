/** Builds of the library: this one, and others by their commit. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildFacts } from './records.js';

/** Folder of this checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');
const BUILDS = path.join(os.tmpdir(), 'procvision-bench-builds');
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';

function run(command: string, args: readonly string[], cwd = ROOT): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...{ cwd, encoding: 'utf8', maxBuffer: 64 << 20, shell: command.endsWith('.cmd') },
  });
  if (status === 0) return stdout.trim();
  const said = error ? error.message : `${stdout}${stderr}`.slice(-4_000);
  throw new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${said}`);
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

async function versionOf(root: string): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

/** What this checkout is. */
export async function thisBuild(): Promise<BuildFacts> {
  if (!existsSync(path.join(ROOT, 'dist', 'index.js'))) {
    throw new Error(`There is no build in ${ROOT}: run npm run build first`);
  }
  const commit = git('rev-parse', '--short=12', 'HEAD');
  const changed = git('status', '--porcelain', '--', 'src', 'package.json', 'tsup.config.ts') !== '';
  return { version: await versionOf(ROOT), ...(commit !== undefined && { commit, changed }) };
}

/**
 * Builds a commit in a folder of its own below the temp folder. The folder is kept: the same commit is built once.
 *
 * @returns its folder and what it is
 */
export async function buildOf(reference: string): Promise<{ root: string; facts: BuildFacts }> {
  const commit = git('rev-parse', '--verify', '--quiet', `${reference}^{commit}`)?.slice(0, 12);
  if (commit === undefined) throw new Error(`Git knows no commit ${reference} in ${ROOT}`);
  const root = path.join(BUILDS, commit);
  if (!existsSync(root)) await build(commit, root);
  return { root, facts: { version: await versionOf(root), commit } };
}

async function build(commit: string, root: string): Promise<void> {
  await mkdir(BUILDS, { recursive: true });
  const folder = await mkdtemp(`${root}.`);
  try {
    const tar = path.join(folder, 'source.tar');
    run('git', ['archive', '--format=tar', `--output=${tar}`, commit]);
    run('tar', ['-xf', tar], folder);
    await rm(tar);
    const lock = (of: string) => readFile(path.join(of, 'package-lock.json'), 'utf8');
    const modules = path.join(ROOT, 'node_modules');
    // The same dependencies need not be installed twice.
    if ((await lock(folder)) === (await lock(ROOT)) && existsSync(modules)) {
      await symlink(modules, path.join(folder, 'node_modules'), 'junction');
    } else {
      run(NPM, ['ci', '--no-audit', '--no-fund'], folder);
    }
    run(NPM, ['run', 'build', '--silent'], folder);
    await rename(folder, root);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    if (!existsSync(root)) throw error; // another run built it at the same time
  }
}
