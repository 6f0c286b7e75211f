import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { ArchiveLimits, Wheel } from '../../package/types.js';
import { openArchive } from '../../package/archive/open-archive.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import { checkPlaces } from '../../package/wheel-places.js';
import { settleRecords } from '../environments/installed-records.js';
import { startInSpaces } from '../environments/relocate.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import { choosePip, noPip, runPip } from './pip.js';
import { explainPipFailure } from './pip-faults.js';
import { distInfos, readIdentity } from '../environments/record.js';
import type { FlatRequirements } from './requirements-file.js';
import { fits } from '../interpreters/tags.js';
import type { InstallReport, Venv, VenvStage } from '../types.js';

/** One installation of wheels into an environment. */
export interface Installation extends OperationOptions {
  venv: Venv;
  facts: PythonFacts;
  wheelsFolder: string;
  wheels: readonly Wheel[];
  requirements: FlatRequirements;
  /** What each wheel is held to. */
  limits?: Partial<ArchiveLimits> | undefined;
  timeoutMs: number;
  onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  onProgress: (stage: VenvStage, doneBytes: number, totalBytes: number) => void;
}

/** What an installer did. */
export type Installed = Pick<InstallReport, 'installed' | 'warnings'>;

/**
 * Has pip choose, unpack and install. Wheels that would replace something of the environment are refused before; what
 * pip does not look at is looked at after.
 *
 * @throws RunnerError also `invalid_zip` for a wheel that is refused
 */
export async function installWithPip(installation: Installation): Promise<Installed> {
  const { venv, wheels, wheelsFolder, onProgress, signal } = installation;
  const pip = choosePip(installation.facts, wheelsFolder, wheels);
  if (pip === undefined) throw noPip(venv.interpreter);
  const usable = wheels.filter((wheel) => fits(wheel, venv.interpreter));
  const totalBytes = usable.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  onProgress('resolve', 0, totalBytes);
  for (const { file, name } of usable) await checkWheel(path.join(wheelsFolder, file), name, installation);
  const result = await runPip({
    ...installation,
    pip,
    args: [],
    onUnpacked: (bytes) => {
      onProgress('install', bytes, totalBytes);
    },
  });
  if (result.exitCode !== 0) {
    const { output, exitCode } = result;
    throw explainPipFailure({ output, exitCode, wheels, wheelsFolder, interpreter: venv.interpreter });
  }
  const installed = await installedProjects(venv, usable);
  await startInSpaces(venv);
  const files = new Map(installed.map(({ name, file }) => [name, file ?? name]));
  const wheelOf = (info: string) => {
    const [name = ''] = info.split('-', 1);
    return files.get(normalizeProjectName(name)) ?? name;
  };
  const { warnings } = await settleRecords(venv, { signal, trusted: () => false, wheelOf });
  return { installed, warnings };
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
