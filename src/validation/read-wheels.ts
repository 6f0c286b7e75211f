import { availableParallelism } from 'node:os';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import { beyond } from '../package/archive/limits.js';
import type { ProjectLayout } from '../package/project-layout.js';
import type { KnownWheel } from '../package/resolution.js';
import { listed, shown } from '../package/text.js';
import type { ArchiveLimits, Requirement, Wheel } from '../package/types.js';
import { isVariantWheel, normalizeProjectName, parseWheelName } from '../package/wheel-name.js';
import type { CheckList } from './check-list.js';
import { isAppleDouble, wheelNameMeant } from './near-misses.js';
import type { PackageSource } from './package-source.js';
import { sourcelessWarning } from './sourceless.js';
import type { WheelFacts } from './wheel-look.js';

/** The bytes of a part, or its fault: a damaged or too long part must not hide other faults. */
export async function readPart(
  source: PackageSource,
  entry: ArchiveEntry,
  signal: AbortSignal | undefined,
): Promise<Buffer | RunnerError> {
  try {
    return await source.read(entry, { signal });
  } catch (error) {
    if (!RunnerError.is(error) || error.code === 'aborted') throw error;
    return error;
  }
}

/** Files that are named; the warning says how many more there are. */
const MOST_NAMED = 20;

/** Tells which files of the wheels run code at every start of the interpreter, or refuses the package for them. */
export function checkStartup(
  source: { path: string },
  { known, unseen }: FoundWheels,
  policy: 'allow' | 'refuse',
  { checks, warnings }: { checks: CheckList; warnings: string[] },
): void {
  const files = known.flatMap(({ wheel, metadata }) =>
    (metadata?.startup ?? []).map((name) => `${shown(name)} in ${wheel.file}`),
  );
  if (policy === 'refuse') {
    if (files.length > 0) {
      checks.fail('startup_code', refused(source, `run code at every start of Python: ${listed(files)}`));
      return;
    }
    if (unseen.length > 0) {
      const why = `cannot be looked into, being large and compressed once more: ${listed(unseen)}. Store wheels in the zip, or`;
      checks.fail('startup_code', refused(source, why));
      return;
    }
  }
  for (const file of files.slice(0, MOST_NAMED)) {
    warnings.push(`${file} runs code at every start of Python, in the bounds of the trial and of workers`);
  }
  if (files.length > MOST_NAMED) {
    warnings.push(`${files.length - MOST_NAMED} more files run code at every start of Python`);
  }
  checks.pass('startup_code', files.length === 0 ? '' : listed(files));
}

function refused({ path }: { path: string }, what: string): RunnerError {
  const remedy = what.endsWith('or') ? '' : '. Take these wheels out, or';
  return new RunnerError(
    'invalid_zip',
    `${path}: wheels ${what}${remedy} set startupCode to 'allow' for makers that you trust`,
    { details: { path } },
  );
}

/**
 * Wheels that are looked into side by side: one is inflated in a thread while another is taken apart. More than there are
 * processors only hold more memory, some megabytes for each compressed one.
 */
const MOST_AT_ONCE = 4;

/** Packages have some hundred at most. */
const MOST_WHEELS = 5_000;

/** The wheels of a package. */
export interface FoundWheels {
  known: KnownWheel[];
  /** Projects with a misnamed wheel: that fault was reported. */
  misnamed: ReadonlySet<string>;
  /** Wheels that lie where none is looked for, by project. */
  misplaced: ReadonlyMap<string, string>;
  /** What is wrong with those that are none inside. */
  faults: RunnerError[];
  /** Files of those that too much would have to be kept of to look into them. */
  unseen: string[];
}

/** Every wheel with its metadata. Reports files that are no wheels; a broken wheel fails a check. */
export async function readWheels(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: OperationOptions & { checks: CheckList },
  warnings: string[],
): Promise<FoundWheels> {
  if (layout.wheelFiles.length > MOST_WHEELS) {
    checks.fail('wheel_names', tooMany(source, layout.wheelFiles.length));
    return { known: [], misnamed: new Set(), misplaced: new Map(), faults: [], unseen: [] };
  }
  const { known, entries, malformed, misplaced } = byName(layout, warnings);
  if (malformed.length > 0) checks.fail('wheel_names', misnamed(source, malformed));
  else checks.pass('wheel_names');
  const seen = await lookInto(source, entries, known, signal);
  return { known, misnamed: new Set(malformed.map(projectMeant)), misplaced, ...seen };
}

/** Tells what was found in the wheels. What only ends an installation is a fault of those that may be installed. */
export function checkContents(
  source: PackageSource,
  { known, faults: broken, unseen }: FoundWheels,
  requirements: readonly Requirement[],
  { checks, warnings }: { checks: CheckList; warnings: string[] },
): void {
  const faults = [...broken];
  const wanted = namesAskedFor(requirements, known);
  for (const { wheel, fault, oddities = [] } of known) {
    warnings.push(...oddities.map((oddity) => `${wheel.file}: ${oddity}`));
    if (wheel.sourceless) warnings.push(sourcelessWarning(wheel.file, wheel.sourceless));
    if (!fault) continue;
    if (wanted.has(wheel.name)) faults.push(fault);
    else warnings.push(`${fault.message} (nothing requires it)`);
  }
  const tooMuch = faults.length === 0 ? beyondTogether(source, known) : undefined;
  if (tooMuch) faults.push(tooMuch);
  for (const fault of faults) checks.fail('wheel_contents', fault);
  if (faults.length > 0) return;
  if (unseen.length > 0) {
    const what = `too much would have to be kept in memory to look into ${listed(unseen)}`;
    warnings.push(`${what}: what it requires is known when it is installed`);
    checks.skip('wheel_contents', what);
  } else if (known.length > 0) checks.pass('wheel_contents', `${known.length} looked into`);
  else checks.skip('wheel_contents', 'there is no wheel');
}

/** Projects that the package asks for, or that any of its wheels does. */
function namesAskedFor(requirements: readonly Requirement[], known: readonly KnownWheel[]): Set<string> {
  const asked = known.flatMap(({ metadata }) => metadata?.requires ?? []);
  const names = asked.map((line) => normalizeProjectName(/^[\w.-]+/.exec(line)?.[0] ?? ''));
  return new Set([...requirements.map(({ name }) => name), ...names]);
}

/** Wheels by their names, and files whose names only look like those of wheels. */
function byName(
  { wheelFiles, wheelsRoot }: ProjectLayout,
  warnings: string[],
): { known: KnownWheel[]; entries: ArchiveEntry[]; malformed: string[]; misplaced: Map<string, string> } {
  const known: KnownWheel[] = [];
  const entries: ArchiveEntry[] = [];
  const malformed: string[] = [];
  const misplaced = new Map<string, string>();
  for (const entry of wheelFiles) {
    const file = entry.name.slice(wheelsRoot.length);
    const base = file.slice(file.lastIndexOf('/') + 1);
    const wheel = parseWheelName(base, entry.sizeBytes);
    if (isAppleDouble(base)) continue; // what macOS writes beside each file, on disks of other systems
    if (!base.endsWith('.whl')) {
      const meant = wheelNameMeant(base);
      const advice = meant === undefined ? '' : `: if it is the wheel ${meant}, rename it`;
      warnings.push(`${entry.name} in the wheels folder is no wheel and is not used${advice}`);
    } else if (file !== base) {
      misplaced.set(projectMeant(base), entry.name);
      warnings.push(
        `${entry.name} is not used: wheels are looked for in ${wheelsRoot} itself, so move it there`,
      );
    } else if (!wheel && isVariantWheel(file)) {
      warnings.push(
        `${entry.name} is a variant of a wheel (PEP 825), which pip does not install either: it is not used. Pack the wheel without a variant`,
      );
    } else if (!wheel) malformed.push(file);
    else {
      known.push({ wheel });
      entries.push(entry);
    }
  }
  return { known, entries, malformed, misplaced };
}

/** The project that a file is of, by its name, which may be wrong. */
function projectMeant(file: string): string {
  const wheel = parseWheelName(wheelNameMeant(file) ?? file, 0);
  return wheel?.name ?? normalizeProjectName(/^[^-]*?(?=-|\.whl|$)/i.exec(file)?.[0] ?? '');
}

/** Sets what each wheel says of itself. @returns what is wrong, and files that were not looked into, in the order of the wheels */
async function lookInto(
  source: PackageSource,
  entries: readonly ArchiveEntry[],
  known: readonly KnownWheel[],
  signal: AbortSignal | undefined,
): Promise<Pick<FoundWheels, 'faults' | 'unseen'>> {
  // By position, not in the order of answers: a report of one package reads the same each time.
  const faults: (RunnerError | undefined)[] = [];
  const unseen: (string | undefined)[] = [];
  const next = known.entries();
  const reader = async () => {
    for (const [index, found] of next) {
      const entry = entries[index];
      if (!entry) continue;
      const facts = await readFacts(source, entry, found.wheel, { signal });
      if (facts instanceof RunnerError) faults[index] = facts;
      else if (facts) {
        found.metadata = facts.metadata;
        found.fault = facts.fault;
        found.oddities = facts.oddities;
        found.owned = facts.owned;
        found.wheel.unpackedBytes = facts.unpackedBytes;
        found.wheel.files = facts.files;
        if (facts.sboms.length > 0) found.wheel.sboms = facts.sboms;
        if (facts.sourceless.length > 0) found.wheel.sourceless = facts.sourceless;
        if (facts.metadata.importNames) found.wheel.importNames = facts.metadata.importNames;
      } else unseen[index] = found.wheel.file;
    }
  };
  const length = Math.min(MOST_AT_ONCE, Math.max(2, availableParallelism()));
  await Promise.all(Array.from({ length }, reader));
  const those = <T>(all: (T | undefined)[]) => all.filter((one) => one !== undefined);
  return { faults: those(faults), unseen: those(unseen) };
}

/** What a wheel says of itself, or the fault that makes it none: pip would stop at it in the middle of an install. */
async function readFacts(
  source: PackageSource,
  entry: ArchiveEntry,
  wheel: Wheel,
  o: OperationOptions,
): Promise<WheelFacts | RunnerError | undefined> {
  try {
    return await source.wheelFacts(entry, wheel, o);
  } catch (error) {
    if (!RunnerError.is(error) || error.code === 'aborted') throw error;
    return error;
  }
}

/** The wheels together may have as many entries, and unpack to as many bytes, as one archive may. */
function beyondTogether(source: PackageSource, known: readonly KnownWheel[]): RunnerError | undefined {
  const { maxEntries, maxUnpackedBytes } = source.limits;
  const sum = (of: (wheel: Wheel) => number | undefined) =>
    known.reduce((total, { wheel }) => total + (of(wheel) ?? 0), 0);
  const exceeded = (what: string, limit: keyof ArchiveLimits) =>
    new RunnerError('invalid_zip', `${source.path}: its wheels together ${what}. ${beyond(limit).remedy}`, {
      details: { path: source.path },
    });
  const files = sum((wheel) => wheel.files);
  if (files > maxEntries) {
    return exceeded(
      `unpack to ${files} files and folders, more than the ${maxEntries} permitted`,
      'maxEntries',
    );
  }
  const bytes = sum((wheel) => wheel.unpackedBytes);
  return bytes > maxUnpackedBytes
    ? exceeded(`unpack to ${bytes} bytes, more than the ${maxUnpackedBytes} permitted`, 'maxUnpackedBytes')
    : undefined;
}

function tooMany(source: PackageSource, count: number): RunnerError {
  return new RunnerError(
    'invalid_zip',
    `${source.path} has ${count} files in its wheels folder, more than the ${MOST_WHEELS} that are looked into: leave out what is not required`,
    { details: { path: source.path } },
  );
}

function misnamed(source: PackageSource, files: readonly string[]): RunnerError {
  const rejected = files.map((file) => {
    const meant = wheelNameMeant(file);
    return meant === undefined ? shown(file) : `${shown(file)} (rename it to ${meant})`;
  });
  const areMeant = files.every((file) => wheelNameMeant(file) !== undefined);
  const remedy = areMeant ? 'Pack the package again with these names' : 'Build them again, or take them out';
  return new RunnerError(
    'invalid_zip',
    `${source.path}: not the names of wheels (PEP 427): ${listed(rejected)}. ${remedy}`,
    { details: { path: source.path, wheels: files.map((file) => ({ file, tags: [] })) } },
  );
}
