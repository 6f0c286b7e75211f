import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import type { ProjectLayout } from '../package/project-layout.js';
import { decodeRequirements } from '../package/requirement-lines.js';
import { parseRequirements, refusedLinesError, type RefusedLine } from '../package/requirements.js';
import { listed, shown } from '../package/text.js';
import type { Requirement } from '../package/types.js';
import type { CheckList } from './check-list.js';
import { requirementsHint } from './near-misses.js';
import type { PackageSource } from './package-source.js';
import { readPart } from './read-part.js';

/** Requirements files that include each other; a package has one, rarely two. */
const MOST_REQUIREMENTS_FILES = 50;

/** What a package requires, and what limits the versions of that. */
export interface PackageRequirements {
  requirements: Requirement[];
  constraints: Requirement[];
  /** Set where it is not known what is required: that is a fault which was told. */
  isUnknown?: true;
}

/** What the package requires; nothing where its file is missing or cannot be read, which fails a check. */
export async function readRequirementsFile(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: OperationOptions & { checks: CheckList },
): Promise<PackageRequirements> {
  const nothing: PackageRequirements = { requirements: [], constraints: [], isUnknown: true };
  const entry = layout.requirements;
  if (!entry && !layout.manifest) {
    checks.skip('zip_requirements', 'there is no manifest that it could stand beside');
    return nothing;
  }
  if (!entry) {
    checks.fail(
      'zip_requirements',
      new RunnerError(
        'invalid_zip',
        `${source.path} has no ${layout.root}requirements.txt: ` +
          (requirementsHint(source.entries, layout.root) ??
            'one with nothing in it says that nothing is required'),
        { details: { path: source.path } },
      ),
    );
    return nothing;
  }
  const reading = await readWithIncludes(source, entry, signal);
  if (reading instanceof RunnerError) {
    checks.fail('zip_requirements', reading);
    return nothing;
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
    return nothing;
  }
  checks.pass('zip_requirements', entry.name);
  if (reading.refused.length > 0) {
    checks.fail('requirements_offline', refusedLinesError(`${source.path}: ${entry.name}`, reading.refused));
  } else {
    checks.pass('requirements_offline');
  }
  return reading;
}

/** What is in the files of requirements, all together. */
interface Reading extends PackageRequirements {
  refused: RefusedLine[];
  /** Files that are not there, or are no text. */
  unreadable: string[];
}

/** The file and those of the package that it includes (`-r`, `-c`), each once. */
async function readWithIncludes(
  source: PackageSource,
  first: ArchiveEntry,
  signal: AbortSignal | undefined,
): Promise<Reading | RunnerError> {
  const all: Reading = { requirements: [], constraints: [], refused: [], unreadable: [] };
  const kinds = { requirements: new Set([first.name]), constraints: new Set<string>() };
  for (const kind of ['requirements', 'constraints'] as const) {
    for (const name of kinds[kind]) {
      const entry = source.get(name);
      const bytes = entry && !entry.isDirectory ? await readPart(source, entry, signal) : undefined;
      if (bytes instanceof RunnerError) return bytes;
      const text = bytes && decodeRequirements(bytes);
      if (text === undefined) {
        all.unreadable.push(name);
        continue;
      }
      const found = parseRequirements(text);
      all[kind].push(...found.requirements);
      all.refused.push(
        ...found.refused.map((line) => (name === first.name ? line : { ...line, file: name })),
      );
      const folder = name.slice(0, name.lastIndexOf('/') + 1);
      const include = (files: string[], into: Set<string>) => {
        for (const file of files) into.add(path.posix.normalize(folder + file.replaceAll('\\', '/')));
      };
      // What constraints include are constraints.
      include(found.includes, kinds[kind]);
      include(found.constraints, kinds.constraints);
      if (kinds.requirements.size + kinds.constraints.size > MOST_REQUIREMENTS_FILES) {
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
