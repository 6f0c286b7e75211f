import { throwIfAborted } from '../abort.js';
import { asFailure, RunnerError } from '../errors.js';
import { isSame } from '../registry/mappings.js';
import type { StoreLayout } from '../store/layout.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../validation/package-validator.js';
import type { DoctorOptions } from './types.js';
import type { Examination } from './doctor/checks/context.js';
import { examineFrames } from './doctor/checks/frames.js';
import { examineKeys } from './doctor/checks/keys.js';
import { examineLeftovers } from './doctor/checks/leftovers.js';
import { examinePackage } from './doctor/checks/libraries.js';
import { examineMachine } from './doctor/checks/machine.js';
import { examinePythons } from './doctor/checks/pythons.js';
import { examineRegistered } from './doctor/checks/registered.js';
import { examineStore } from './doctor/checks/store.js';
import { validatorFor } from './doctor/checks/validator.js';
import { examineVersions } from './doctor/checks/versions.js';
import { examineStart, examineWorkers } from './doctor/checks/workers.js';
import { cluesOf } from './doctor/clues.js';
import { finding, type Finding } from './doctor/finding.js';
import type { Severity } from './doctor/kinds/kind.js';
import { thisMachine, type Surroundings } from './doctor/surroundings.js';

const ORDER: readonly Severity[] = ['error', 'warning', 'note'];

/** What of a running host is looked at, and where. */
export interface DoctorContext {
  supervisor?: AlgorithmSupervisor;
  /** Looks into packages. @defaultValue one with the options' `python` and `integrity` */
  validator?: PackageValidator;
  surroundings?: Partial<Surroundings>;
  /** Groups of checks that are left out: asking Pythons takes a second. */
  without?: readonly 'pythons'[];
}

/** Makes every check; errors come first. Nothing is changed, but for files in the temp dir that go at once. */
export async function examine(
  layout: StoreLayout,
  o: DoctorOptions,
  { supervisor, validator, surroundings, without = [] }: DoctorContext = {},
): Promise<Finding[]> {
  const { name, version, python, integrity, frames = {}, verify = true, start = false, signal } = o;
  const only = name !== undefined && version !== undefined ? { name, version } : undefined;
  const examination: Examination = {
    ...{ layout, only, package: o.package, verify, start, integrity, frames, supervisor, signal },
    surroundings: { ...thisMachine(), ...surroundings },
    python: typeof python === 'string' ? [python] : python,
    validator: validator ?? validatorFor({ integrity, python }),
  };
  const found: Finding[] = [];
  const look = async (what: string, check: () => Promise<Finding[]>) => {
    throwIfAborted(signal, 'doctor');
    found.push(...(await check().catch((error: unknown) => refused(what, error))));
  };
  await look('the machine', () => examineMachine(examination));
  await look('the folder of frames', () => examineFrames(examination));
  if (!without.includes('pythons')) await look('the Pythons', () => examinePythons(examination));
  if (o.package !== undefined) {
    const file = o.package;
    await look(file, () => examinePackage(file, examination));
  } else {
    await look(layout.root, () => examineStation(examination));
  }
  return sorted(found);
}

async function examineStation(examination: Examination): Promise<Finding[]> {
  const { only, start, supervisor } = examination;
  const { findings, reading } = await examineStore(examination);
  const found = [...findings];
  if (findings.some(({ id }) => id === 'store.missing' || id === 'store.unreadable')) return found;
  found.push(...(await examineKeys(examination)));
  if (!only) found.push(...(await examineLeftovers(examination)));
  if (!reading) return found;
  const { content } = reading;
  if (only && !content.packages.some((one) => isSame(one, only))) {
    const { name, version } = only;
    throw new RunnerError('not_found', `${name} ${version} is not deployed: install it first`, {
      details: { name, version },
    });
  }
  found.push(...(await examineRegistered(examination, content)));
  found.push(...(await examineVersions(examination, content)));
  if (supervisor) found.push(...examineWorkers(supervisor, content));
  if (start) found.push(...(await examineStart(examination, content)));
  return found;
}

/** What the system refuses while it is looked at is a finding, and the other checks are made all the same. */
function refused(what: string, error: unknown): Finding[] {
  if (
    RunnerError.is(error, 'aborted') ||
    RunnerError.is(error, 'not_found') ||
    RunnerError.is(error, 'invalid_params')
  )
    throw error;
  const failure = error as NodeJS.ErrnoException;
  const wrapped = RunnerError.is(error)
    ? error
    : new RunnerError('store_failed', failure.message, { cause: error });
  const clues = cluesOf(wrapped);
  if (clues.length === 0) throw asFailure(error, `examine ${what}`);
  return clues.map((one) => finding(one.id, { ...one, fix: undefined, what: `${what}: ${one.what}` }));
}

/** Errors first; the same twice is one. */
function sorted(findings: readonly Finding[]): Finding[] {
  const unique = new Map(findings.map((one) => [`${one.id}\n${one.what}`, one]));
  return [...unique.values()].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}
