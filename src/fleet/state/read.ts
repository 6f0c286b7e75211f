import { RunnerError } from '../../errors.js';
import { describe } from '../../options.js';
import type { LeaseState, ReportedState } from '../state.js';
import { faultOf, schemas, type CheckedStates } from './values.js';

/** The error of a word that is not to be acted on: it names the key in the bucket, the fault and the remedy. */
export function untrusted(key: string, reason: string): RunnerError<'untrusted_state'> {
  return new RunnerError(
    'untrusted_state',
    `${key} in the fleet's bucket is not acted on: ${reason}. Have the controller write it anew`,
    { details: { path: key, reason } },
  );
}

/** A value of the bucket, checked. @throws RunnerError `untrusted_state` */
export function checked<K extends keyof CheckedStates>(
  kind: K,
  key: string,
  value: unknown,
): CheckedStates[K] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw untrusted(key, `it must be an object, not ${describe(value)}`);
  }
  const fault = faultOf(schemas()[kind], value);
  if (fault !== undefined) throw untrusted(key, fault);
  return value as CheckedStates[K];
}

/**
 * What a station says of itself. It is not signed: who may write the key is for the server's permissions to say.
 *
 * @throws RunnerError `untrusted_state` when it is no report, or one of another station or plant
 */
export function readReported(
  key: string,
  value: unknown,
  of: { plant: string; station: string },
): ReportedState {
  const state = checked('reported', key, value);
  checkPlace(key, state, of);
  return state;
}

/** Who acts as the controller. @throws RunnerError `untrusted_state` when it is no lease */
export function readLease(key: string, value: unknown): LeaseState {
  return checked('lease', key, value);
}

/** Refuses a state of another plant, station, group or version. @throws RunnerError `untrusted_state` */
export function checkPlace(key: string, state: object, of: Readonly<Record<string, string>>): void {
  for (const [field, wanted] of Object.entries(of)) {
    const found = (state as Record<string, unknown>)[field];
    if (found !== wanted) throw untrusted(key, `it is for the ${field} ${String(found)}, not for ${wanted}`);
  }
}
