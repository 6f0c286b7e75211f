import { RunnerError } from '../errors.js';
import { findUnmet, type KnownWheel, type UnmetRequirement } from '../package/resolution.js';
import type { PythonNeed, Requirement } from '../package/types.js';
import type { Interpreter } from '../python/types.js';
import type { CheckList } from './check-list.js';
import { markerEnvironment } from './marker-environment.js';
import type { PackageSource } from './package-source.js';

/** Tags of an interpreter that are worth reading in a message; a list has hundreds. */
const TAGS_TOLD = 6;

/**
 * Judges whether some interpreter of this machine can install the package: 2004 for requirements that no wheel meets
 * at all, 2003 when wheels are there but fit no interpreter.
 */
export async function judgeWheels(
  source: PackageSource,
  requirements: Requirement[],
  known: KnownWheel[],
  python: PythonNeed,
  o: { checks: CheckList; interpreters: () => Promise<Interpreter[]>; warnings: string[] },
): Promise<void> {
  const { checks } = o;
  const interpreters = await o.interpreters();
  if (interpreters.length === 0) {
    // A package that brings its own interpreter needs none of this machine's.
    if (python.embedded !== undefined) {
      checks.skip('requirements_met', 'pip judges it with the interpreter of the package');
      return;
    }
    checks.fail(
      'python_compatible',
      new RunnerError(
        'incompatible_python',
        'No Python 3.8 or later was found on this machine: install one, or say where it is with the option python',
        { details: { path: source.path, interpreters: [] } },
      ),
    );
    return;
  }
  const judged = interpreters.map((interpreter) => ({
    interpreter,
    unmet: findUnmet(requirements, known, {
      tags: interpreter.tags,
      markers: markerEnvironment(interpreter),
    }),
  }));
  if (judged.some(({ unmet }) => unmet.length === 0)) {
    checks.pass('requirements_met');
    checks.pass('python_compatible');
    return;
  }
  // The interpreter that comes closest tells the most.
  const [closest] = judged.sort((a, b) => a.unmet.length - b.unmet.length);
  const missing = closest?.unmet.filter(({ elsewhere }) => elsewhere.length === 0) ?? [];
  const misfits = closest?.unmet.filter(({ elsewhere }) => elsewhere.length > 0) ?? [];
  if (missing.length > 0) checks.fail('requirements_met', missingError(source, missing));
  else checks.pass('requirements_met');
  if (misfits.length > 0) checks.fail('python_compatible', misfitError(source, misfits, interpreters));
  else checks.pass('python_compatible');
}

function missingError(source: PackageSource, missing: UnmetRequirement[]): RunnerError {
  const list = missing.map(({ requirement, requiredBy }) =>
    requiredBy === undefined ? requirement.text : `${requirement.text} (required by ${requiredBy})`,
  );
  return new RunnerError(
    'wheels_missing',
    `${source.path}: no wheel of the package meets ${list.join(', ')}: pack it again with these wheels`,
    { details: { path: source.path, requirements: missing.map(({ requirement }) => requirement.text) } },
  );
}

function misfitError(
  source: PackageSource,
  misfits: UnmetRequirement[],
  interpreters: Interpreter[],
): RunnerError {
  const wheels = misfits.flatMap(({ elsewhere }) => elsewhere).map(({ file, tags }) => ({ file, tags }));
  const wanted = wheels.map(({ file, tags }) => `${file} (${tags.join(', ')})`).join('; ');
  const found = interpreters.map(({ path, version, tags }) => {
    const some = [...tags].slice(0, TAGS_TOLD).join(', ');
    return `${version} at ${path} (${some}…)`;
  });
  return new RunnerError(
    'incompatible_python',
    `${source.path}: no interpreter of this machine takes ${wanted}. Found: ${found.join('; ')}. ` +
      'Install the Python that the wheels were made for, or pack the package for this one',
    {
      details: {
        path: source.path,
        wheels,
        interpreters: interpreters.map(({ path, version, tags }) => ({ path, version, tags: [...tags] })),
      },
    },
  );
}
