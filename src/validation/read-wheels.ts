import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import type { ProjectLayout } from '../package/project-layout.js';
import type { KnownWheel } from '../package/resolution.js';
import { listed } from '../package/text.js';
import type { Wheel } from '../package/types.js';
import type { LookBudget, LookOptions, WheelMetadata } from '../package/wheel-metadata.js';
import { parseWheelName } from '../package/wheel-name.js';
import type { CheckList } from './check-list.js';
import type { PackageSource } from './package-source.js';

/** Wheels that are looked into side by side; small compressed ones are held in memory meanwhile. */
const WHEELS_AT_ONCE = 8;

/** Packages have some hundred at most. */
const MOST_WHEELS = 5_000;
/** Bytes that are unpacked in memory to look into the wheels of one package; the rest is left to pip. */
const MOST_LOOKED_AT_BYTES = 256 * 1024 ** 2;

/** Every wheel with what it says of itself. Files that are no wheels are told; what cannot be a wheel fails a check. */
export async function readWheels(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: OperationOptions & { checks: CheckList },
  warnings: string[],
): Promise<KnownWheel[]> {
  const malformed: string[] = [];
  const known: KnownWheel[] = [];
  const entries: ArchiveEntry[] = [];
  if (layout.wheelFiles.length > MOST_WHEELS) {
    checks.fail(
      'wheel_names',
      new RunnerError(
        'invalid_zip',
        `${source.path} has ${layout.wheelFiles.length} files in its wheels folder, more than the ${MOST_WHEELS} that are looked into`,
        { details: { path: source.path } },
      ),
    );
    return [];
  }
  for (const entry of layout.wheelFiles) {
    const file = fileName(entry);
    if (!file.endsWith('.whl')) {
      warnings.push(`${entry.name} in the wheels folder is no wheel and is not used`);
      continue;
    }
    const wheel = parseWheelName(file, entry.sizeBytes);
    if (!wheel) {
      malformed.push(file);
      continue;
    }
    known.push({ wheel });
    entries.push(entry);
  }
  const budget: LookBudget = { bytes: MOST_LOOKED_AT_BYTES };
  // By position, not in the order of answers: a report of one package reads the same each time.
  const faults: (RunnerError | undefined)[] = [];
  const next = known.entries();
  const reader = async () => {
    for (const [index, wheel] of next) {
      const entry = entries[index];
      if (!entry) continue;
      const metadata = await readMetadata(source, entry, wheel.wheel, { budget, signal });
      if (metadata instanceof RunnerError) faults[index] = metadata;
      else wheel.metadata = metadata;
    }
  };
  await Promise.all(Array.from({ length: WHEELS_AT_ONCE }, reader));
  if (malformed.length > 0) {
    checks.fail(
      'wheel_names',
      new RunnerError(
        'invalid_zip',
        `${source.path}: not the names of wheels (PEP 427): ${listed(malformed)}. Build them again, or take them out`,
        {
          details: { path: source.path, wheels: malformed.map((file) => ({ file, tags: [] })) },
        },
      ),
    );
  } else {
    checks.pass('wheel_names');
  }
  const damaged = faults.filter((fault) => fault !== undefined);
  if (damaged.length > 0) {
    for (const fault of damaged) checks.fail('wheel_contents', fault);
  } else if (known.length > 0) checks.pass('wheel_contents', lookedInto(known));
  else checks.skip('wheel_contents', 'there is no wheel');
  return known;
}

/** What a wheel says of itself, or the fault that makes it none: pip would stop at it in the middle of an install. */
async function readMetadata(
  source: PackageSource,
  entry: ArchiveEntry,
  wheel: Wheel,
  o: LookOptions,
): Promise<WheelMetadata | RunnerError | undefined> {
  try {
    return await source.wheelMetadata(entry, wheel, o);
  } catch (error) {
    if (!RunnerError.is(error) || error.code === 'aborted') throw error;
    return error;
  }
}

/** How many wheels were looked into, and which were not: a report that is silent about those says too much. */
function lookedInto(known: readonly KnownWheel[]): string {
  const left = known.filter(({ metadata }) => metadata === undefined).map(({ wheel }) => wheel.file);
  const count = `${known.length - left.length} looked into`;
  return left.length === 0
    ? count
    : `${count}; too large while compressed, so what they require is left to pip: ${listed(left)}`;
}

function fileName({ name }: ArchiveEntry): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
