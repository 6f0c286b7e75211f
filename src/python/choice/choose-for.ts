import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { openArchive } from '../../package/archive/open-archive.js';
import type { RequirementTree } from '../../package/requirement-tree.js';
import type { ArchiveLimits, Wheel } from '../../package/types.js';
import { distInfoFolders, parseMetadata } from '../../package/wheel-metadata.js';
import { hashFile } from '../../store/hash-file.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import type { Venv } from '../types.js';
import { choose, type Choice, type ChoiceSource } from './choose.js';
import { failureOf } from './failure.js';
import { NoChoice } from './no-choice.js';

/** What is chosen from for one environment. */
export interface ChoiceOrder extends OperationOptions {
  venv: Pick<Venv, 'interpreter'>;
  facts: PythonFacts;
  wheelsFolder: string;
  wheels: readonly Wheel[];
  requirements: RequirementTree;
  /** What each wheel is held to. */
  limits?: Partial<ArchiveLimits> | undefined;
}

/**
 * Chooses what an installation puts into an environment. `sha256Of` knows hashes of wheels by their names.
 *
 * @throws RunnerError `wheels_missing`, `incompatible_python`, `install_failed`, with pip's words as their output;
 * `invalid_zip` for a wheel that is no archive or past a limit
 */
export async function chooseFor(
  order: ChoiceOrder,
  sha256Of?: (file: string) => Promise<string>,
): Promise<Choice> {
  const { wheels, wheelsFolder, requirements, facts, venv, signal } = order;
  const { tags } = venv.interpreter;
  const fileOf = ({ file }: Wheel) => path.join(wheelsFolder, file);
  try {
    return await choose({
      ...requirements,
      ...{ wheels, signal },
      environment: { tags, markers: facts.markers, pythonVersion: facts.version },
      metadataOf: (wheel) => readMetadata(fileOf(wheel), order),
      digestOf: (wheel, algorithm) =>
        algorithm === 'sha256' && sha256Of
          ? sha256Of(wheel.file)
          : hashFile(fileOf(wheel), { algorithm, signal }),
    });
  } catch (error) {
    throw error instanceof NoChoice ? failureOf(error, wheelsFolder, venv.interpreter) : error;
  }
}

/** What the METADATA of a wheel file says. */
async function readMetadata(
  file: string,
  { limits, signal }: ChoiceOrder,
): ReturnType<ChoiceSource['metadataOf']> {
  await using archive = await openArchive(file, { limits, signal });
  const [folder = ''] = distInfoFolders(archive);
  const entry = archive.get(`${folder}/METADATA`);
  if (!entry)
    throw new RunnerError('install_failed', `The wheel ${file} has no METADATA`, { details: { path: file } });
  return parseMetadata((await archive.read(entry, { signal })).toString('utf8'));
}
