import { RunnerError } from '../../errors.js';
import type { Wheel } from '../../package/types.js';
import type { Probed } from './facts.js';
import { meetsVersion } from './python-version.js';
import { misfits, tellingTags } from './tags.js';
import type { InterpreterNeed } from '../types.js';

/** An interpreter that was looked at, and what stands against it. */
export interface Refusal {
  path: string;
  version: string;
  tags: string[];
  reason: string;
  wheels: Wheel[];
}

/** Why this interpreter does not serve; undefined when it does. */
export function refuse(probed: Probed, need: InterpreterNeed): Refusal | undefined {
  if (!probed.ok) return { path: probed.path, version: '', tags: [], reason: probed.reason, wheels: [] };
  const { interpreter } = probed;
  const refusal = (reason: string, wheels: Wheel[] = []): Refusal => ({
    path: interpreter.path,
    version: interpreter.version,
    tags: tellingTags(interpreter),
    reason,
    wheels,
  });
  const wanted = need.pythonVersion;
  if (wanted !== undefined && meetsVersion(interpreter.version, wanted) !== true) {
    return refusal(`the package asks for Python ${wanted}`);
  }
  const wrong = misfits(need.wheels ?? [], interpreter);
  if (wrong.length === 0) return undefined;
  return refusal(`it does not accept ${list(wrong.map(({ file }) => file))}`, wrong);
}

/**
 * The 2003 that says which wheels want which tags, and what each interpreter looked at has; or, where there was none,
 * which places were looked at.
 */
export function noneFits(
  need: InterpreterNeed,
  refusals: readonly Refusal[],
  places: readonly string[],
): RunnerError {
  const wheels = new Map(refusals.flatMap((refusal) => refusal.wheels).map((wheel) => [wheel.file, wheel]));
  const parts = ['No Python on this machine can run the package.'];
  for (const wheel of [...wheels.values()].slice(0, 5)) {
    parts.push(`${wheel.file} wants ${list(wheel.tags)}.`);
  }
  if (need.pythonVersion !== undefined && meetsVersion('3.8.0', need.pythonVersion) === undefined) {
    parts.push(`Its Python version ${JSON.stringify(need.pythonVersion)} cannot be understood.`);
  }
  const looked = refusals.map(
    ({ path, version, reason, tags }) =>
      `${path}${version === '' ? '' : ` (${version}, accepts ${list(tags, 3)})`}: ${reason}`,
  );
  parts.push(
    looked.length === 0
      ? `None was found in ${places.join(', ') || 'no place at all'}.`
      : `Looked at ${looked.join('; ')}.`,
  );
  parts.push(remedy(need, [...wheels.values()]));
  return new RunnerError('incompatible_python', parts.join(' '), {
    details: {
      wheels: [...wheels.values()].map(({ file, tags }) => ({ file, tags })),
      interpreters: refusals.map(({ path, version, tags, reason }) => ({ path, version, tags, reason })),
    },
  });
}

function remedy(need: InterpreterNeed, wheels: readonly Wheel[]): string {
  const minor = wheels
    .map(({ tags }) => /^cp3(\d+)-/.exec(tags[0] ?? '')?.[1])
    .find((found) => found !== undefined);
  const version = minor === undefined ? (need.pythonVersion ?? '3.8 or later') : `3.${minor}`;
  return `Install Python ${version} for this platform, or name one in the option python, or build the package for a Python that is here.`;
}

function list(items: readonly string[], most = 4): string {
  const shown = items.slice(0, most).join(', ');
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}
