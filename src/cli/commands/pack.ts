import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { PackageInspection } from 'procvision-runner';
import { renameOver } from '../../store/atomic-file.js';
import { usage } from '../host.js';
import { downloadWheels } from '../project/download-wheels.js';
import type { Call } from '../spec.js';
import { findFile, newFolder } from '../store.js';
import { formatBytes } from '../terminal/progress.js';

export async function run(call: Call): Promise<undefined> {
  const { options, out, signal, host } = call;
  const project = await findFile(call, call.words[0] ?? '.', 'project folder');
  const { name, version } = await readManifest(project);
  const target = call.path((options.out as string | undefined) ?? `${name}-v${version}-offline.zip`);
  await newFolder(call, path.dirname(target));
  if ((await stat(target).catch(() => undefined))?.isDirectory())
    throw usage(`${path.relative(host.cwd, target)} is a folder: name a file`);
  checkPlace(call, project, target);
  const temporary = await mkdtemp(path.join(os.tmpdir(), 'procvision-pack-'));
  // What is hidden is not packed: it may lie in the project.
  const partial = path.join(path.dirname(target), `.${path.basename(target)}.${process.pid}.part`);
  try {
    const wheels = await gather(call, project, temporary);
    const { packProject } = await import('procvision-runner');
    await mkdir(path.dirname(target), { recursive: true });
    await pipeline(packProject(project, { wheels }), createWriteStream(partial), { signal });
    await renameOver(partial, target);
  } finally {
    await rm(partial, { force: true });
    await rm(temporary, { recursive: true, force: true });
  }
  const { size } = await stat(target);
  const inspection = await inspect(call, target);
  out.result(
    { file: target, name, version, sizeBytes: size, wheels: inspection?.wheels.map(({ file }) => file) },
    () => {
      const wheels = inspection?.wheels.length ?? 0;
      const count = inspection ? `, ${wheels} ${wheels === 1 ? 'wheel' : 'wheels'}` : '';
      return `${path.relative(host.cwd, target)}: ${name} ${version}, ${formatBytes(size)}${count}`;
    },
  );
  for (const warning of inspection?.warnings ?? []) out.warn(warning);
  return undefined;
}

/** Refuses a target that the next package of the project would hold. @throws CliFailure 2 */
function checkPlace({ host }: Call, project: string, target: string): void {
  const place = path.relative(project, target);
  // Outside of the project it begins with `..`, or is on another drive.
  const isLeftOut = path.isAbsolute(place) || place.split(path.sep).some((part) => part.startsWith('.'));
  if (isLeftOut || /-offline\.zip$/i.test(place)) return;
  throw usage(
    `${path.relative(host.cwd, target)} lies in the project, and would go into its next package: ` +
      'name a place outside of it, or a file that ends with -offline.zip',
  );
}

async function readManifest(project: string): Promise<{ name: string; version: string }> {
  const file = path.join(project, 'manifest.json');
  const text = await readFile(file, 'utf8').catch(() => {
    throw usage(`${project} has no manifest.json: give the folder of a project, or begin one with init`);
  });
  try {
    const { name, version } = JSON.parse(text) as Record<string, unknown>;
    if (typeof name === 'string' && typeof version === 'string' && !/[/\\]/.test(name + version))
      return { name, version };
  } catch (error) {
    throw usage(`${file} is not JSON: ${(error as Error).message}`);
  }
  throw usage(`${file} must have a name and a version that can be part of a file name`);
}

/** A folder of the wheels to deliver; undefined leaves those of the project. */
async function gather(call: Call, project: string, temporary: string): Promise<string | undefined> {
  const {
    wheels = [],
    index,
    platform = [],
    python,
    standInSdk,
  } = call.options as {
    wheels?: string[];
    index?: string | true;
    platform?: string[];
    python?: string;
    standInSdk?: boolean;
  };
  if (wheels.length === 0 && index === undefined && standInSdk !== true) {
    const own = await readdir(path.join(project, 'wheels')).catch(() => []);
    const needed = (await readFile(path.join(project, 'requirements.txt'), 'utf8').catch(() => '')).trim();
    if (own.length === 0 && needed !== '') {
      throw usage(
        'The project has requirements and no wheels: give --wheels FOLDER, or --index to take them from an index',
      );
    }
    return undefined;
  }
  const links: string[] = [];
  for (const folder of wheels) links.push(await findFile(call, folder, 'folder of wheels'));
  if (standInSdk === true) links.push(await writeStandIn(project, path.join(temporary, 'sdk')));
  const target = path.join(temporary, 'wheels');
  await mkdir(target);
  const isDownloaded = await downloadWheels(call, {
    ...{ project, target, links, index, platforms: platform, python, temporary },
  });
  if (!isDownloaded) {
    // Without pip nobody can choose among wheels: all of them are delivered.
    for (const folder of links) {
      for (const file of await readdir(folder)) {
        if (file.endsWith('.whl')) await copyFile(path.join(folder, file), path.join(target, file));
      }
    }
  }
  return target;
}

/** The SDK of the test kit, of the version that the project requires. */
async function writeStandIn(project: string, folder: string): Promise<string> {
  const { buildStandInSdk } = await import('procvision-runner/testing');
  const text = await readFile(path.join(project, 'requirements.txt'), 'utf8').catch(() => '');
  const version = /^procvision[-_.]algorithm[-_.]sdk\s*==\s*([\d.]+)/im.exec(text)?.[1];
  const [major = 0, minor = 0] = (version ?? '0.0').split('.').map(Number);
  const generation = major > 0 || minor >= 3 ? 'execute-only' : 'phased';
  const { file, bytes } = await buildStandInSdk({ generation, version });
  await mkdir(folder);
  await writeFile(path.join(folder, file), bytes);
  return folder;
}

/** Reports what a station would refuse. Whether the package fits another platform or Python is not known here. */
async function inspect({ options, signal, out }: Call, zip: string): Promise<PackageInspection | undefined> {
  const { PackageValidator } = await import('procvision-runner');
  try {
    return await new PackageValidator().inspect(zip, { signal });
  } catch (error) {
    const isForeign = options.platform !== undefined || options.python !== undefined;
    if (signal.aborted) throw error;
    if (!isForeign) out.warn(`this machine could not install it: ${(error as Error).message}`);
    return undefined;
  }
}
