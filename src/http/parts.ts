import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../validation/package-validator.js';
import { RequestFault } from './problem.js';
import type { Call } from './types.js';

/** The supervisor of a handler that has one. @throws RequestFault `not_served` */
export function supervisorOf({ options: { supervisor } }: Call, without: string): AlgorithmSupervisor {
  if (supervisor) return supervisor;
  throw notServed('supervisor', without);
}

/** The validator of a handler that has one. @throws RequestFault `not_served` */
export function validatorOf({ options: { validator } }: Call): PackageValidator {
  if (validator) return validator;
  throw notServed('validator', 'checks no packages');
}

/** Flags of `serve` that give it a part. */
const FLAGS: Readonly<Record<string, string>> = { delivery: '--outbox', fleet: '--plant' };

/** What is answered where a handler was set up without a part. */
export function notServed(part: string, without: string): RequestFault {
  const flag = FLAGS[part];
  return new RequestFault(
    'not_served',
    `This server was set up without a ${part}, so it ${without}: give createRunnerHandler the option ${part}${flag === undefined ? '' : `, or serve the flag ${flag}`}`,
  );
}
