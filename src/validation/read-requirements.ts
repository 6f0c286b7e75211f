import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import type { ProjectLayout } from '../package/project-layout.js';
import { parseRequirements, refusedLinesError, type RefusedLine } from '../package/requirements.js';
import { decodeRequirements, listed, shown } from '../package/text.js';
import type { Requirement } from '../package/types.js';
import type { CheckList } from './check-list.js';
import type { PackageSource } from './package-source.js';
import { readPart } from './read-part.js';

/** Requirements files that include each other; a package has one, rarely two. */
const MOST_REQUIREMENTS_FILES = 50;

/** What the package requires; none where its file is missing or cannot be read, which fails a check. */
export async function readRequirementsFile(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: OperationOptions & { checks: CheckList },
): Promise<Requirement[]> {
  const entry = layout.requirements;
  if (!entry) {
    checks.fail(
      'zip_requirements',
      new RunnerError(
        'invalid_zip',
        `${source.path} has no ${layout.root}requirements.txt; one with nothing in it says that nothing is required`,
        { details: { path: source.path } },
      ),
    );
    return [];
  }
  const reading = await readWithIncludes(source, entry, signal);
  if (reading instanceof RunnerError) {
    checks.fail('zip_requirements', reading);
    return [];
  }
  if (reading.unreadable.length > 0) {
    checks.fail(
      'zip_requirements',
      new RunnerError(
        'invalid_zip',
        `${source.path}: not there, or neither UTF-8 nor GBK text: ${listed(reading.unreadable.map(shown))}. Pack what ${entry.name} includes, as UTF-8`,
        { details: { path: source.path } },
      ),
    );
    return [];
  }
  checks.pass('zip_requirements', entry.name);
  if (reading.refused.length > 0) {
    checks.fail('requirements_offline', refusedLinesError(`${source.path}: ${entry.name}`, reading.refused));
  } else {
    checks.pass('requirements_offline');
  }
  return reading.requirements;
}

/** The file and those of the package that it includes (`-r`), each once. */
async function readWithIncludes(
  source: PackageSource,
  first: ArchiveEntry,
  signal: AbortSignal | undefined,
): Promise<{ requirements: Requirement[]; refused: RefusedLine[]; unreadable: string[] } | RunnerError> {
  const all = { requirements: [] as Requirement[], refused: [] as RefusedLine[], unreadable: [] as string[] };
  const names = new Set([first.name]);
  for (const name of names) {
    const entry = source.get(name);
    const bytes = entry && !entry.isDirectory ? await readPart(source, entry, signal) : undefined;
    if (bytes instanceof RunnerError) return bytes;
    const text = bytes && decodeRequirements(bytes);
    if (text === undefined) {
      all.unreadable.push(name);
      continue;
    }
    const { requirements, refused, includes } = parseRequirements(text);
    all.requirements.push(...requirements);
    all.refused.push(...refused);
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    for (const file of includes) {
      const included = path.posix.normalize(folder + file.replaceAll('\\', '/'));
      if (names.size < MOST_REQUIREMENTS_FILES) names.add(included);
      else if (!names.has(included)) {
        return new RunnerError(
          'invalid_zip',
          `${source.path}: ${first.name} includes more than ${MOST_REQUIREMENTS_FILES} files: write it as one`,
          { details: { path: source.path } },
        );
      }
    }
  }
  return all;
}
