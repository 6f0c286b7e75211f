import { RunnerError } from '../errors.js';
import type { MarkerEnvironment } from '../package/pep508.js';
import { findUnmet, type KnownWheel, type UnmetRequirement } from '../package/resolution.js';
import { listed, shown } from '../package/text.js';
import type { PythonNeed } from '../package/types.js';
import { type Choice, choose } from '../python/choice/choose.js';
import { cannotUnpack, failureOf } from '../python/choice/failure.js';
import { NoChoice } from '../python/choice/no-choice.js';
import { markersOf, type UnusablePython } from '../python/interpreters/facts.js';
import { meetsVersion } from '../python/interpreters/python-version.js';
import { remedyFor } from '../python/interpreters/remedy.js';
import type { Interpreter } from '../python/types.js';
import type { CheckList } from './check-list.js';
import type { PackageSource } from './package-source.js';
import type { PackageRequirements } from './read-requirements.js';
import type { FoundWheels } from './read-wheels.js';

/** Marker variables of an interpreter (PEP 508): what it told, which an installation goes by, or what its platform tells. */
function markerEnvironment(interpreter: Interpreter): MarkerEnvironment {
  return markersOf(interpreter) ?? markersByPlatform(interpreter);
}

/** Requires-Python is compared with the release that a pre-release of Python leads to, as pip does. */
function explainedBy(interpreter: Interpreter): MarkerEnvironment {
  return { ...markerEnvironment(interpreter), python_full_version: interpreter.version };
}

function markersByPlatform({ version, implementation, platform }: Interpreter): MarkerEnvironment {
  const [major = '', minor = ''] = version.split('.');
  const machine = /(x86_64|amd64|aarch64|arm64|i686|armv7l|win32)$/.exec(platform)?.[1] ?? '';
  const family = platform.startsWith('win') ? WINDOWS : platform.startsWith('macosx') ? MACOS : LINUX;
  const isCpython = implementation === 'cpython';
  return {
    ...family,
    python_version: `${major}.${minor}`,
    python_full_version: version,
    platform_machine: machine === 'amd64' ? 'AMD64' : machine === 'win32' ? 'x86' : machine,
    platform_python_implementation: isCpython
      ? 'CPython'
      : implementation === 'pypy'
        ? 'PyPy'
        : implementation,
    implementation_name: implementation,
    implementation_version: version,
    platform_release: '',
    platform_version: '',
  };
}

const LINUX = { os_name: 'posix', sys_platform: 'linux', platform_system: 'Linux' };
const MACOS = { os_name: 'posix', sys_platform: 'darwin', platform_system: 'Darwin' };
const WINDOWS = { os_name: 'nt', sys_platform: 'win32', platform_system: 'Windows' };

/**
 * Files that two wheels own and that are not the same in both, of the wheels that are installed: the wheel that is
 * installed last wins, as with pip. One string for each pair of wheels.
 */
export function overlapsIn({ chosen }: Choice, known: readonly KnownWheel[]): string[] {
  const ownedBy = new Map(known.map(({ wheel, owned }) => [wheel.file, owned]));
  const last = new Map<string, { file: string; crc: number }>();
  const pairs = new Map<string, { wheels: [string, string]; files: string[] }>();
  for (const { file } of chosen) {
    for (const [place, crc] of ownedBy.get(file) ?? []) {
      const before = last.get(place);
      last.set(place, { file, crc });
      if (!before || before.crc === crc) continue;
      const key = `${before.file}\n${file}`;
      const pair = pairs.get(key) ?? { wheels: [before.file, file], files: [] };
      pair.files.push(place);
      pairs.set(key, pair);
    }
  }
  return [...pairs.values()].map(({ wheels: [first, second], files }) => {
    const more = files.length === 1 ? ' is' : ` and ${files.length - 1} more files are`;
    const names = [first, second].sort().join(' and in ');
    return `${shown(files[0] ?? '')}${more} in ${names}: what is installed is that of ${second}, as with pip`;
  });
}

/** Wheels and interpreters that a message names; all are in the details. */
const MOST_LISTED = 5;

/** Where interpreters were looked for, and those that were there and cannot be used. */
export interface LookedAt {
  places: readonly string[];
  unusable: readonly UnusablePython[];
}

/** An interpreter, and what of the package it could not install. */
interface Candidate {
  interpreter: Interpreter;
  /** Why there is no choice of wheels for it. */
  noChoice: NoChoice | undefined;
  unmet: UnmetRequirement[];
  /** Wheels of the choice whose entries it cannot read. */
  unread: { file: string }[];
  isOfVersion: boolean;
}

/** Longest search: what takes longer is left to the installation. */
const MOST_MS = 5_000;

/**
 * Checks that an interpreter of this machine can install the package: 2004 for requirements that no wheel meets at
 * all, 2003 when wheels are there but fit no interpreter, or when none has the version the package asks for. The
 * first interpreter that can is enough. All are started only to explain why none can.
 *
 * @returns the interpreter that can, and what is installed with it
 */
export async function resolveWheels(
  source: PackageSource,
  required: PackageRequirements,
  { known, misnamed, misplaced }: FoundWheels,
  python: PythonNeed,
  o: { checks: CheckList; interpreters: AsyncIterable<Interpreter>; lookedAt: () => LookedAt },
): Promise<{ interpreter: Interpreter; choice: Choice | undefined } | undefined> {
  const { checks } = o;
  const { requirements, constraints, isUnknown } = required;
  const candidates: Candidate[] = [];
  const met = () => {
    const left = known.filter(({ metadata }) => metadata === undefined).map(({ wheel }) => wheel.file);
    if (isUnknown) checks.skip('requirements_met', 'it is not known what is required');
    else if (left.length > 0) {
      checks.skip('requirements_met', `it is not known what is required by ${listed(left)}`);
    } else checks.pass('requirements_met', requirements.length === 0 ? 'nothing is required' : '');
  };
  for await (const interpreter of o.interpreters) {
    const choice = await chosenFor(interpreter, required, known);
    const noChoice = choice instanceof NoChoice ? choice : undefined;
    const isOfVersion = hasVersion(interpreter, python);
    const unread = choice instanceof NoChoice ? [] : unreadBy(interpreter, choice, known);
    if (!(choice instanceof NoChoice) && unread.length === 0 && isOfVersion) {
      met();
      checks.pass('python_compatible', `Python ${interpreter.version} at ${interpreter.path}`);
      return { interpreter, choice };
    }
    const { tags } = interpreter;
    const unmet = noChoice
      ? findUnmet(requirements, known, { tags, markers: explainedBy(interpreter), constraints })
      : [];
    candidates.push({ interpreter, noChoice, unmet, unread, isOfVersion });
  }
  if (python.embedded !== undefined) {
    // A package that brings its own interpreter needs none of this machine's, and that one cannot be asked unpacked.
    checks.skip('requirements_met', 'pip decides it with the interpreter of the package');
    checks.skip('python_compatible', `the package brings its own: ${python.embedded}`);
    return undefined;
  }
  if (candidates.length === 0) {
    checks.fail('python_compatible', noneFound(source, python, o.lookedAt()));
    return undefined;
  }
  // The interpreter that comes closest tells the most.
  const [closest] = [...candidates].sort(
    (a, b) =>
      Number(b.isOfVersion) - Number(a.isOfVersion) ||
      Number(a.noChoice !== undefined) - Number(b.noChoice !== undefined) ||
      a.unmet.length - b.unmet.length,
  );
  const missing =
    closest?.unmet.filter(
      ({ elsewhere, requirement }) => elsewhere.length === 0 && !misnamed.has(requirement.name),
    ) ?? [];
  const misfits = closest?.unmet.filter(({ elsewhere }) => elsewhere.length > 0) ?? [];
  const isUnexplained = closest?.noChoice !== undefined && closest.unmet.length === 0 && misnamed.size === 0;
  if (missing.length > 0)
    checks.fail('requirements_met', missingError(source, missing, { known, misplaced, constraints }));
  else if (misnamed.size > 0) checks.skip('requirements_met', 'a wheel is named wrongly');
  else if (isUnexplained && closest.noChoice)
    checks.fail('requirements_met', failureOf(closest.noChoice, source.path, closest.interpreter));
  else met();
  const interpreters = candidates.map(({ interpreter }) => interpreter);
  if (misfits.length > 0) checks.fail('python_compatible', incompatibleError(source, misfits, interpreters));
  else if (closest?.isOfVersion === false)
    checks.fail('python_compatible', versionError(source, python.pythonVersion ?? '', interpreters));
  else if (closest && closest.unread.length > 0)
    checks.fail('python_compatible', cannotUnpack(closest.unread, source.path, interpreters));
  else checks.pass('python_compatible');
  return undefined;
}

/** What an installation would choose, by what is known of the wheels; undefined where that cannot be computed in time. */
async function chosenFor(
  interpreter: Interpreter,
  { requirements, constraints, options }: PackageRequirements,
  known: readonly KnownWheel[],
): Promise<Choice | NoChoice | undefined> {
  const { tags, version: pythonVersion } = interpreter;
  const metadata = new Map(known.map((one) => [one.wheel, one.metadata]));
  try {
    return await choose({
      ...{ requirements, constraints, options, mostMs: MOST_MS },
      wheels: known.map(({ wheel }) => wheel),
      environment: { tags, markers: markerEnvironment(interpreter), pythonVersion },
      metadataOf: (wheel) => Promise.resolve(metadata.get(wheel) ?? { requires: [] }),
    });
  } catch (error) {
    if (!(error instanceof NoChoice)) throw error;
    return error.kind === 'too much' ? undefined : error;
  }
}

/** Chosen wheels with entries that this interpreter cannot read; what its choice is made of must be known. */
function unreadBy(
  { readsZstandard = false }: Interpreter,
  choice: Choice | undefined,
  known: readonly KnownWheel[],
): { file: string }[] {
  if (readsZstandard || !choice) return [];
  const compressed = new Set(
    known.flatMap(({ wheel, metadata }) => (metadata?.needsZstandard ? wheel.file : [])),
  );
  return choice.chosen.filter(({ file }) => compressed.has(file));
}

function hasVersion({ version }: Interpreter, { pythonVersion }: PythonNeed): boolean {
  return pythonVersion === undefined || meetsVersion(version, pythonVersion) === true;
}

function noneFound(
  source: PackageSource,
  { pythonVersion }: PythonNeed,
  { places, unusable }: LookedAt,
): RunnerError {
  const wanted = pythonVersion === undefined ? '' : `, which asks for Python ${shown(pythonVersion)},`;
  const broken = listed(
    unusable.map(({ path, reason }) => `${path} (${reason})`),
    '; ',
  );
  return new RunnerError(
    'incompatible_python',
    `${source.path}${wanted} needs a Python, and no usable one, 3.8 or later, was found in ` +
      `${listed(places) || 'any place: none was given'}. ` +
      (broken === '' ? '' : `Not usable: ${broken}. `) +
      'Install one there, or name one in the option python',
    { details: { path: source.path, interpreters: [], unusable } },
  );
}

function versionError(source: PackageSource, wanted: string, interpreters: Interpreter[]): RunnerError {
  const found = interpreters.map(({ path, version }) => `${version} at ${path}`);
  const isReadable = meetsVersion('3.8.0', wanted) !== undefined;
  const fault = isReadable
    ? `which none on this machine is. Found: ${listed(found)}. Install that version, or correct what the package asks for`
    : 'which is no version: correct what the package asks for, for example to 3.11 or >=3.9';
  return new RunnerError('incompatible_python', `${source.path} asks for Python ${shown(wanted)}, ${fault}`, {
    details: { path: source.path, wheels: [], interpreters: interpreters.map(factsOf) },
  });
}

function factsOf({ path, version, tags }: Interpreter): { path: string; version: string; tags: string[] } {
  return { path, version, tags: [...tags] };
}

/** Other versions of what is missing, and constraints on it, are named: they are what is to be put right then. */
function missingError(
  source: PackageSource,
  missing: UnmetRequirement[],
  {
    known,
    misplaced,
    constraints,
  }: Pick<FoundWheels, 'known' | 'misplaced'> & Pick<PackageRequirements, 'constraints'>,
): RunnerError {
  const list = missing.map(({ requirement: { text, name }, requiredBy }) => {
    const limits = constraints.filter((one) => one.name === name && one.specifier !== '');
    const others = known.filter(({ wheel }) => wheel.name === name);
    const about = [
      ...(requiredBy === undefined ? [] : [`required by ${requiredBy}`]),
      ...limits.map((one) => `limited by the constraint ${shown(one.text)}`),
      ...(others.length > 0
        ? [
            `there is ${listed(
              others.map(({ wheel }) => wheel.file),
              ', ',
              3,
            )}`,
          ]
        : []),
    ];
    return about.length === 0 ? shown(text) : `${shown(text)} (${about.join(', ')})`;
  });
  const elsewhere = missing.flatMap(({ requirement }) => misplaced.get(requirement.name) ?? []);
  const remedy =
    elsewhere.length === 0
      ? 'pack it again with these wheels'
      : `wheels are looked for in the wheels folder itself, so move ${listed(elsewhere)} there`;
  return new RunnerError(
    'wheels_missing',
    `${source.path}: no wheel of the package meets ${listed(list)}: ${remedy}`,
    { details: { path: source.path, requirements: missing.map(({ requirement }) => requirement.text) } },
  );
}

function incompatibleError(
  source: PackageSource,
  misfits: UnmetRequirement[],
  interpreters: Interpreter[],
): RunnerError {
  const elsewhere = misfits.flatMap(({ elsewhere }) => elsewhere);
  const wheels = elsewhere.map(({ file, tags }) => ({ file, tags }));
  const found = listed(
    interpreters.map(({ version, path, platform }) => `${version} (${platform}) at ${path}`),
    '; ',
    MOST_LISTED,
  );
  return new RunnerError(
    'incompatible_python',
    `${source.path}: no interpreter of this machine takes ${listed(
      wheels.map(({ file }) => file),
      ', ',
      MOST_LISTED,
    )}. Found: ${found}. ${remedyFor(
      elsewhere,
      interpreters,
      misfits.flatMap(({ requiresPython = [] }) => requiresPython),
    )}`,
    {
      details: {
        path: source.path,
        wheels,
        interpreters: interpreters.map(factsOf),
      },
    },
  );
}
