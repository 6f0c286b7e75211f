/**
 * Released versions of this library, built from the history, and stores made by them.
 *
 * `npm run released -- build 0.1.0` builds that version into `node_modules/.cache/released/0.1.0/`, where
 * `test/released/released.test.ts` finds it: it then also opens today's stores with it.
 * `npm run released -- store 0.1.0` builds it where needed, and makes the store that is committed as
 * `test/released/0.1.0.tar.gz`: once for each release.
 */
import { execFileSync, type ExecFileSyncOptions } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../..', import.meta.url));
const station = fileURLToPath(new URL('station.ts', import.meta.url));

/** A released version. */
export interface Released {
  version: string;
  /** Commit that it was built from. */
  commit: string;
  /** Interpreter that its store was made with, and that interpreter's minor version. */
  python: { path: string; version: string };
}

/** All of them, the oldest first. */
export const RELEASED = JSON.parse(
  readFileSync(path.join(project, 'test/released/versions.json'), 'utf8'),
) as Released[];

/** Where a released version is once it was built. */
export const builtFolder = (version: string): string =>
  path.join(project, 'node_modules/.cache/released', version);

/** The store that was committed for a released version. */
export const storeFile = (version: string): string => path.join(project, `test/released/${version}.tar.gz`);

function build({ version, commit }: Released): void {
  const folder = builtFolder(version);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const inside: ExecFileSyncOptions = { cwd: folder, stdio: 'inherit' };
  const archive = path.join(folder, 'commit.tar');
  execFileSync('git', ['archive', '--output', archive, commit], { cwd: project, stdio: 'inherit' });
  execFileSync('tar', ['-xf', archive], inside);
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], inside);
  execFileSync('npm', ['run', 'build'], inside);
}

function makeStore({ version, python }: Released): void {
  const folder = path.join(os.tmpdir(), 'procvision-released');
  rmSync(folder, { recursive: true, force: true });
  const dist = path.join(builtFolder(version), 'dist');
  const args = ['--import', 'tsx', station, 'make', dist, path.join(folder, 'store'), python.path];
  const made = execFileSync(process.execPath, args, { encoding: 'utf8' });
  if (!made.includes('"made"')) throw new Error(`The store could not be made: ${made}`);
  // The reserve is random bytes; each host makes it again.
  const options = ['--exclude', '.reserve', '--owner', '0', '--group', '0', '--numeric-owner'];
  const file = storeFile(version);
  execFileSync('tar', [
    '-C',
    folder,
    ...options,
    '-c',
    '-f',
    file,
    '--use-compress-program',
    'gzip -9n',
    'store',
  ]);
  rmSync(folder, { recursive: true, force: true });
  console.log(`${path.relative(project, file)} is made`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , action, wanted] = process.argv;
  const found = RELEASED.find(({ version }) => version === wanted);
  if (!found || (action !== 'build' && action !== 'store')) {
    const versions = RELEASED.map(({ version }) => version).join(', ');
    throw new Error(`Say "build" or "store", and one of these versions: ${versions}`);
  }
  if (action === 'build' || !existsSync(path.join(builtFolder(found.version), 'dist/index.js'))) build(found);
  if (action === 'store') makeStore(found);
}
