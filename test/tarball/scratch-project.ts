import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../', import.meta.url));

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of a project that has installed the packed tarball. */
    project: string;
    /** The tarball itself. */
    tarball: string;
    /** Files of the tarball, sorted: its installed copy gets byte code when it is used. */
    packed: string[];
  }
}

interface PackageJson {
  name: string;
  dependencies: Record<string, string>;
}

/**
 * Packs the library as `npm publish` would and installs it into a project of its own, without a registry: the tarball is
 * unpacked and its dependencies are links to those of the repository. The project's path has a space, a `#`, a `%` and
 * a non-ASCII letter in it.
 */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(path.join(repository, 'dist/index.js')))
    throw new Error('there is no dist/: npm run build');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pv é#%20 '));
  const project = path.join(folder, 'project');
  const modules = path.join(project, 'node_modules');
  await mkdir(modules, { recursive: true });
  const manifest = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as PackageJson;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { stdout } = await run(npm, ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: repository,
    shell: process.platform === 'win32',
  });
  const tarball = path.join(folder, stdout.trim().split('\n').at(-1) ?? '');
  await run('tar', ['-xzf', path.basename(tarball)], { cwd: folder });
  await cp(path.join(folder, 'package'), path.join(modules, manifest.name), { recursive: true });
  for (const name of [...Object.keys(manifest.dependencies), '@types/node', 'undici-types']) {
    const link = path.join(modules, name);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(repository, 'node_modules', name), link, 'junction');
  }
  await cp(path.join(repository, 'test/tarball/consumer'), project, { recursive: true });
  await writeFile(path.join(project, 'package.json'), JSON.stringify({ name: 'scratch', type: 'module' }));
  provide('project', project);
  provide('tarball', tarball);
  const { stdout: listed } = await run('tar', ['-tzf', path.basename(tarball)], { cwd: folder });
  const files = listed.split(/\r?\n/).filter((name) => name !== '' && !name.endsWith('/'));
  provide('packed', files.map((name) => name.slice('package/'.length)).sort());
  return () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
