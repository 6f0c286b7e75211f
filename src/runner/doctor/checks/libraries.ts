import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { OperationOptions } from '../../../abort.js';
import { RunnerError } from '../../../errors.js';
import { openArchive } from '../../../package/archive/open-archive.js';
import { findLayout } from '../../../package/project-layout.js';
import { remedyForDll, remedyForLibrary } from '../../../python/libraries/library-packages.js';
import {
  COMPILED,
  findMissingLibraries,
  type LibraryReport,
  type MissingLibrary,
} from '../../../python/libraries/missing-libraries.js';
import { inTemporaryFolder } from '../../../store/temporary-folder.js';
import { explanationOf } from '../explain.js';
import { finding, type Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';
import type { Examination } from './context.js';

/** Libraries that the wheels of a deployed version lack. */
export async function libraryFindings(
  folders: readonly string[],
  o: {
    surroundings: Surroundings;
    entry: { name: string; version: string; python_version?: string };
    python: string;
  } & OperationOptions,
): Promise<Finding[]> {
  const { surroundings, entry, python, signal } = o;
  const { platform, places } = surroundings;
  const { name, version, python_version: pythonVersion } = entry;
  const report = await findMissingLibraries(folders, { platform, places, python, pythonVersion, signal });
  return findingsOf(report, platform, { name, version });
}

/**
 * A package that is not deployed: what an inspection says against it, and the libraries that its wheels lack. Of the wheels
 * the compiled files alone are unpacked, into the temp dir.
 */
export async function examinePackage(file: string, examination: Examination): Promise<Finding[]> {
  const { surroundings, signal, validator } = examination;
  const { platform, places } = surroundings;
  const found: Finding[] = [];
  let python: { path: string; version: string } | undefined;
  let about: { name?: string; version?: string } = {};
  try {
    const { name, version, interpreter } = await validator.inspect(file, { signal });
    about = { name, version };
    python = interpreter;
  } catch (error) {
    if (!RunnerError.is(error) || error.code === 'aborted') throw error;
    const what = `${file} cannot be installed (${error.code})`;
    const { remedy } = explanationOf(error);
    found.push(finding('zip.invalid', { what, why: error.message, remedy, path: file }));
    if (error.code === 'invalid_zip') return found;
  }
  const report = await inTemporaryFolder(
    'procvision-libraries-',
    async (folder) => {
      const folders = await unpackCompiled(file, folder, signal);
      return findMissingLibraries(folders, {
        platform,
        places,
        python: python?.path,
        pythonVersion: python?.version,
        signal,
      });
    },
    surroundings.temp,
  );
  return [...found, ...findingsOf(report, platform, about)];
}

/** @returns a folder for each wheel */
async function unpackCompiled(
  file: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  await using archive = await openArchive(file, { signal });
  const { wheelFiles } = findLayout(file, archive.entries);
  const folders: string[] = [];
  for (const entry of wheelFiles) {
    if (!entry.name.endsWith('.whl')) continue;
    // As a file: of a large wheel that is compressed in the package no entry could be read but those that are kept in memory.
    const copy = path.join(target, 'wheel.whl');
    await pipeline(await archive.stream(entry, { signal }), createWriteStream(copy), { signal });
    const folder = path.join(target, String(folders.length));
    await mkdir(folder);
    {
      await using wheel = await openArchive(copy, { signal });
      await wheel.extract(folder, { place: ({ name }) => (COMPILED.test(name) ? name : undefined), signal });
    }
    folders.push(folder);
    await rm(copy);
  }
  return folders;
}

function findingsOf(
  { missing, damaged, foreign }: LibraryReport,
  platform: NodeJS.Platform,
  about: { name?: string; version?: string },
): Finding[] {
  const found = missing.filter(({ byModule }) => byModule).map((one) => missingFinding(one, platform, about));
  const optional = missing.filter(({ byModule }) => !byModule);
  for (const one of optional) {
    const { what, why, remedy } = missingFinding(one, platform, about);
    found.push(
      finding('library.optional', {
        what,
        why,
        remedy: `Nothing, if the algorithm works. ${remedy}`,
        ...about,
      }),
    );
  }
  for (const { path: file, fault } of damaged) {
    found.push(finding('library.damaged', { what: `${file} of a wheel is damaged`, why: fault, ...about }));
  }
  for (const { path: file, arch } of foreign) {
    const what = `${file} is for ${arch}, and this machine is ${process.arch}`;
    found.push(finding('library.foreign', { what, why: 'Python cannot load it', ...about }));
  }
  return found;
}

function missingFinding(
  { library, version, has, neededBy, through }: MissingLibrary,
  platform: NodeJS.Platform,
  about: { name?: string; version?: string },
): Finding {
  const way = through.length === 0 ? '' : ` through ${through.join(', ')}`;
  if (version !== undefined) {
    const what = `${neededBy} needs ${version} of ${library}${has === undefined ? '' : `, which goes up to ${has} here`}`;
    return finding('library.too-old', { what, why: `It was made for a later system${way}`, ...about });
  }
  const remedy = platform === 'win32' ? remedyForDll(library) : remedyForLibrary(library);
  const what = `${library} is not on this machine`;
  return finding('library.missing', {
    what,
    why: `${neededBy} needs it${way}: importing that fails`,
    remedy,
    ...about,
  });
}
