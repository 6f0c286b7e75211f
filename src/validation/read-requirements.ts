import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ProjectLayout } from '../package/project-layout.js';
import { readRequirementTree } from '../package/requirement-tree.js';
import { refusedLinesError } from '../package/requirements.js';
import { listed, shown } from '../package/text.js';
import type { Requirement } from '../package/types.js';
import type { CheckList } from './check-list.js';
import { requirementsHint } from './near-misses.js';
import type { PackageSource } from './package-source.js';
import { readPart } from './read-wheels.js';

/** What a package requires, and what limits the versions of that. */
export interface PackageRequirements {
  requirements: Requirement[];
  constraints: Requirement[];
  /** Options that change the choice. */
  options: string[];
  /** Set where the requirements are not known: that fault was reported. */
  isUnknown?: true;
}

/** What the package requires; nothing where its file is missing or cannot be read, which fails a check. */
export async function readRequirementsFile(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: OperationOptions & { checks: CheckList },
): Promise<PackageRequirements> {
  const nothing: PackageRequirements = { requirements: [], constraints: [], options: [], isUnknown: true };
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
  let fault: RunnerError | undefined;
  const reading = await readRequirementTree(entry.name, async (name) => {
    const found = source.get(name);
    const bytes = found && !found.isDirectory ? await readPart(source, found, signal) : undefined;
    if (!(bytes instanceof RunnerError)) return bytes;
    fault ??= bytes;
    return undefined;
  });
  if (reading.isTooMany) {
    fault = new RunnerError(
      'invalid_zip',
      `${source.path}: ${entry.name} includes too many files: write it as one`,
      { details: { path: source.path } },
    );
  }
  if (fault) {
    checks.fail('zip_requirements', fault);
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
