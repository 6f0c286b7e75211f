import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import type { Wheel } from '../../package/types.js';
import { openArchive } from '../../package/archive/open-archive.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import { checkPlaces } from '../../package/wheel-places.js';
import { settleRecords } from '../environments/installed-records.js';
import { relateScripts } from '../environments/relocatable.js';
import { choosePip, noPip, runPip } from './pip.js';
import { pipFailed } from './pip-failed.js';
import { distInfos, formatRecord, parseRecord, plainPath, readIdentity } from '../environments/record.js';
import { type ChoiceOrder, chooseFor, type ChosenWheel } from '../choice/choose.js';
import { writeFileAtomic } from '../../store/atomic-file.js';
import { inTemporaryFolder } from '../../store/temporary-folder.js';
import { pinWheels } from './pinned.js';
import type { InstallReport, Venv, VenvStage } from '../types.js';

/** One installation of wheels into an environment. */
export interface Installation extends ChoiceOrder {
  venv: Venv;
  timeoutMs: number;
  /** Names of files, with wildcards, that are linked to no other. */
  ownFiles: readonly string[];
  /** SHA-256 (hex) of wheels, by file name, as far as they are known. */
  hashes?: ReadonlyMap<string, string> | undefined;
  onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  onProgress: (stage: VenvStage, doneBytes: number, totalBytes: number) => void;
}

/** What an installer did. */
export type Installed = Pick<InstallReport, 'installed' | 'warnings'>;

/**
 * Has pip unpack and install what was chosen. Wheels that would replace something of the environment are refused before;
 * what pip does not look at is looked at after.
 *
 * @throws RunnerError also `invalid_zip` for a wheel that is refused
 */
export async function installWithPip(installation: Installation): Promise<Installed> {
  const { venv, wheels, wheelsFolder, onProgress, signal } = installation;
  const pip = choosePip(installation.facts, wheelsFolder, wheels);
  if (pip === undefined) throw noPip(venv.interpreter);
  onProgress('resolve', 0, 0);
  const { chosen, warnings: noted } = await chooseFor(installation);
  const files = new Map(chosen.map(({ project, file }) => [project, file]));
  const usable = wheels.filter(({ file, name }) => files.get(name) === file);
  for (const { file, name } of usable) await checkWheel(path.join(wheelsFolder, file), name, installation);
  const runIn = (folder: string) => runOnChosen(installation, { pip, chosen, usable, folder });
  await inTemporaryFolder('.procvision-wheels-', runIn, venv.dir);
  await relateScripts(venv);
  const wheelOf = (info: string) => {
    const [name = ''] = info.split('-', 1);
    return files.get(normalizeProjectName(name)) ?? name;
  };
  const { warnings } = await settleRecords(venv, { signal, trusted: () => false, wheelOf });
  return { installed: await installedProjects(venv, usable), warnings: [...noted, ...warnings] };
}

/** pip resolves once more: what the requirements ask for, so that it writes who asked and installs in its order. */
async function runOnChosen(
  installation: Installation,
  o: { pip: string; chosen: readonly ChosenWheel[]; usable: readonly Wheel[]; folder: string },
): Promise<void> {
  const { venv, wheelsFolder, onProgress } = installation;
  const { pip, chosen, usable } = o;
  const totalBytes = usable.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const pinned = await pinWheels(chosen, installation.requirements, {
    wheelsFolder,
    folder: path.join(o.folder, 'wheels'),
  });
  const run = (requirements: readonly string[], constraints: readonly string[], args: readonly string[]) =>
    runPip({
      ...installation,
      ...{ pip, wheelsFolder: pinned.folder, requirements, constraints, args },
      onUnpacked: (bytes) => {
        onProgress('install', bytes, totalBytes);
      },
    });
  let result = await run(pinned.requirements, pinned.constraints, ['--pre']);
  const isOther =
    result.exitCode === 0
      ? !(await isInstalled(venv, usable))
      : result.output.some((line) => RESOLVED_OTHERWISE.test(line));
  if (isOther) {
    // An old pip reads a marker or a version in another way: it is not asked again.
    result = await run([...pinned.requirements, ...pinned.constraints], [], ['--pre', '--no-deps']);
    if (result.exitCode === 0) await forgetRequest(venv, chosen);
  }
  const { output, exitCode } = result;
  if (exitCode !== 0) throw pipFailed({ output, exitCode, wheelsFolder, interpreter: venv.interpreter });
}

const RESOLVED_OTHERWISE =
  /No matching distribution|ResolutionImpossible|different Python|invalid metadata|was refused/;

async function isInstalled(venv: Venv, usable: readonly Wheel[]): Promise<boolean> {
  const installed = new Set((await installedProjects(venv, usable)).map(({ file }) => file));
  return usable.every(({ file }) => installed.has(file));
}

/** Takes back the mark of a requirement from wheels that others asked for. */
async function forgetRequest(venv: Venv, chosen: readonly ChosenWheel[]): Promise<void> {
  const byOthers = new Set(chosen.flatMap(({ project, requested }) => (requested ? [] : [project])));
  for (const info of await distInfos(venv.sitePackages)) {
    const [name = ''] = info.split('-', 1);
    if (!byOthers.has(normalizeProjectName(name))) continue;
    const folder = path.join(venv.sitePackages, info);
    await rm(path.join(folder, 'REQUESTED'), { force: true });
    const record = path.join(folder, 'RECORD');
    const rows = parseRecord(await readFile(record, 'utf8'));
    const kept = rows.filter((row) => plainPath(row.path) !== `${info}/REQUESTED`);
    await writeFileAtomic(record, formatRecord(kept), 'none');
  }
}

/** Before pip sees a wheel: what our reader cannot read is not left to another one. */
async function checkWheel(file: string, project: string, { limits, signal }: Installation): Promise<void> {
  let archive;
  try {
    archive = await openArchive(file, { limits, signal });
  } catch (cause) {
    if (!RunnerError.is(cause, 'invalid_zip')) throw cause;
    const { message } = cause;
    throw new RunnerError('install_failed', message, { cause, details: { path: file, output: [message] } });
  }
  try {
    await checkPlaces(archive, project, { signal });
  } finally {
    await archive.close();
  }
}

/** What is in the environment, each with the wheel it can have come from. */
export async function installedProjects(
  venv: Venv,
  wheels: readonly Wheel[],
): Promise<InstallReport['installed']> {
  const installed: InstallReport['installed'] = [];
  for (const info of await distInfos(venv.sitePackages)) {
    const identity = await readIdentity(path.join(venv.sitePackages, info));
    if (!identity) continue;
    const name = normalizeProjectName(identity.name);
    const version = identity.version;
    const file = wheels.find((wheel) => wheel.name === name && sameVersion(wheel.version, version))?.file;
    installed.push({ name, version, ...(file !== undefined && { file }) });
  }
  return installed.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** File names write versions as they like: `1.0`, `1.0.0` and `1.0.0.post1` differ, `1.0-1` and `1.0_1` do not. */
function sameVersion(a: string, b: string): boolean {
  const plain = (version: string) => version.toLowerCase().replace(/[-_.+]/g, '.');
  return plain(a) === plain(b);
}
