/**
 * Runs the tests under the other releases of Node that the package supports, and the quickstart under the oldest:
 * `npm run test:nodes [-- arguments of vitest]`, `NODES=24,26` for some. They come from the npm registry, which has
 * them as packages, and stay in `build/nodes`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../', import.meta.url));
const folder = path.join(repository, 'build/nodes');
const releases = (process.env.NODES ?? '22,24,26').split(',');
/** The oldest release that package.json claims: the tests' own tools need newer ones, the library must not. */
const oldest = await oldestClaimed();

/** The packages of the registry are named as Node names systems and processors, but for one. */
const system = process.platform === 'win32' ? 'win' : process.platform;
const packageOf = (release: string) => `node-${system}-${process.arch}@${release}`;
const binary = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
const nodeOf = (release: string) => path.join(folder, 'node_modules', `node${release}`, binary);

function run(command: string, args: string[], options: { cwd: string; shell?: boolean }): void {
  const { status } = spawnSync(command, args, { ...options, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

async function oldestClaimed(): Promise<string> {
  const { engines } = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const [, release] = /^>=(\d+\.\d+)$/.exec(engines.node) ?? [];
  if (release === undefined)
    throw new Error(`engines.node of package.json is ${engines.node}, not >=MAJOR.MINOR`);
  return `${release}.0`;
}

const missing = [oldest, ...releases].filter((release) => !existsSync(nodeOf(release)));
if (missing.length > 0) {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{ "private": true }\n');
  const packages = missing.map((release) => `node${release}@npm:${packageOf(release)}`);
  const options = ['--no-audit', '--no-fund', '--ignore-scripts'];
  run('npm', ['install', ...options, ...packages], { cwd: folder, shell: process.platform === 'win32' });
}
console.log(`\nNode ${oldest}, the oldest that is claimed: from a zip to a verdict`);
const store = await mkdtemp(path.join(tmpdir(), 'procvision-oldest-'));
try {
  const command = path.join(repository, 'dist/cli/bin.cjs');
  if (!existsSync(command))
    run('npm', ['run', 'build'], { cwd: repository, shell: process.platform === 'win32' });
  run(nodeOf(oldest), [command, 'quickstart', '--root', store], { cwd: store });
} finally {
  await rm(store, { recursive: true, force: true });
}
for (const release of releases) {
  console.log(`\nNode ${release}`);
  const vitest = path.join(repository, 'node_modules/vitest/vitest.mjs');
  run(nodeOf(release), [vitest, 'run', ...process.argv.slice(2)], { cwd: repository });
}
