import { throwIfAborted, type OperationOptions } from '../abort.js';
import { isRecord } from '../arguments.js';
import { RunnerError } from '../errors.js';
import { describe } from '../options.js';
import { StoreLayout } from '../store/layout.js';
import type { Explanation } from './doctor/explain.js';
import type { Finding } from './doctor/finding.js';
import { doors } from './options.js';
import type { DoctorOptions } from './types.js';

/**
 * Explains an error of this library: what its code means, the commonest causes and the remedy; and where the details of this
 * very error tell more, what is at fault: the missing library with the packages that have it, the module, the file, the limit,
 * the process that holds a lock.
 *
 * @param error - anything that was thrown; what is no RunnerError is explained as a fault of this library
 * @throws RunnerError `invalid_params` for options that are none, `aborted`
 */
export async function explain(error: unknown, o: OperationOptions = {}): Promise<Explanation> {
  doors().explain.check(o);
  throwIfAborted(o.signal, 'explaining of an error');
  const { explanationOf } = await import('./doctor/explain.js');
  return explanationOf(error);
}

/**
 * Makes every check that this library can make of the machine, the store, its versions and their wheels: each finding says
 * what it found, why, and what to do in one line; `fix.apply()` does it where that is safe. docs/doctor.md has every finding.
 * Nothing is changed, and a store that cannot be opened is looked at all the same.
 *
 * @param root - the store; it need not be there
 * @returns errors first; empty for a sound station
 * @throws RunnerError `invalid_params`, `not_found` for a version that is not deployed, `aborted`
 */
export async function doctor(root: string | StoreLayout, o: DoctorOptions = {}): Promise<Finding[]> {
  const isLayout = isRecord(root) && 'deployed' in root;
  if (!isLayout && (typeof root !== 'string' || root === '')) {
    throw new RunnerError(
      'invalid_params',
      `doctor(root): root must be the path of a store, not ${describe(root)}`,
      {
        details: { path: 'root' },
      },
    );
  }
  checkDoctorOptions(o);
  const { examine } = await import('./examine.js');
  return examine(typeof root === 'string' ? new StoreLayout(root) : root, o);
}

/** @throws RunnerError `invalid_params`, `aborted` */
export function checkDoctorOptions(o: DoctorOptions): void {
  doors().doctor.check(o);
  throwIfAborted(o.signal, 'doctor');
  const { name, version, start } = o;
  if ((name === undefined) !== (version === undefined) || (start === true && name === undefined)) {
    const missing = name === undefined ? 'name' : 'version';
    throw new RunnerError(
      'invalid_params',
      `doctor(root, options): ${missing} must be given: a version is named by both`,
      {
        details: { path: missing },
      },
    );
  }
}
