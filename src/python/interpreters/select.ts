import { RunnerError } from '../../errors.js';
import type { Wheel } from '../../package/types.js';
import type { Probed } from './facts.js';
import { meetsVersion } from './python-version.js';
import { remedyFor } from './remedy.js';
import { misfits, tellingTags } from './tags.js';
import type { InterpreterNeed } from '../types.js';

/** An interpreter that was looked at, and what stands against it. */
export interface Refusal {
  path: string;
  version: string;
  platform: string;
  tags: string[];
  reason: string;
  wheels: Wheel[];
}

/** Why this interpreter does not serve; undefined when it does. */
export function refuse(probed: Probed, need: InterpreterNeed): Refusal | undefined {
  if (!probed.ok)
    return { path: probed.path, version: '', platform: '', tags: [], reason: probed.reason, wheels: [] };
  const { interpreter } = probed;
  const refusal = (reason: string, wheels: Wheel[] = []): Refusal => ({
    path: interpreter.path,
    version: interpreter.version,
    platform: interpreter.platform,
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
 * The 2003 that says which wheels no interpreter takes and what to do; or, where there was no interpreter, which places
 * were looked at. Tags are in its details.
 */
export function noneFits(
  need: InterpreterNeed,
  refusals: readonly Refusal[],
  places: readonly string[],
): RunnerError {
  const wheels = new Map(refusals.flatMap((refusal) => refusal.wheels).map((wheel) => [wheel.file, wheel]));
  const parts = ['No Python on this machine can run the package.'];
  if (need.pythonVersion !== undefined && meetsVersion('3.8.0', need.pythonVersion) === undefined) {
    parts.push(`Its Python version ${JSON.stringify(need.pythonVersion)} cannot be understood.`);
  }
  const looked = refusals.map(
    ({ path, version, reason }) => `${path}${version === '' ? '' : ` (${version})`}: ${reason}`,
  );
  parts.push(
    looked.length === 0
      ? `None was found in ${places.join(', ') || 'no place at all'}.`
      : `Looked at ${list(looked, 5, '; ')}.`,
  );
  parts.push(remedy(need, refusals, [...wheels.values()]));
  return new RunnerError('incompatible_python', parts.join(' '), {
    details: {
      wheels: [...wheels.values()].map(({ file, tags }) => ({ file, tags })),
      interpreters: refusals.map(({ path, version, tags, reason }) => ({ path, version, tags, reason })),
    },
  });
}

function remedy(need: InterpreterNeed, refusals: readonly Refusal[], wheels: readonly Wheel[]): string {
  if (wheels.length > 0) return `${remedyFor(wheels, refusals)}.`;
  return `Install Python ${need.pythonVersion ?? '3.8 or later'} for this platform, or name one in the option python, or build the package for a Python that is here.`;
}

function list(items: readonly string[], most = 4, separator = ', '): string {
  const shown = items.slice(0, most).join(separator);
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}
