import { RunnerError } from '../../errors.js';
import { readPublicKey } from '../keys.js';
import type { IntegrityPolicy } from './types.js';

/** The policy, once it is one. @throws RunnerError `invalid_params` for a mode or a key that is none */
export function checkPolicy(policy: IntegrityPolicy): IntegrityPolicy {
  if (!['off', 'lenient', 'strict'].includes(policy.mode)) {
    throw new RunnerError('invalid_params', 'integrity.mode must be off, lenient or strict');
  }
  policy.publicKeys?.forEach(readPublicKey);
  if (policy.keySet && policy.publicKeys) {
    throw new RunnerError('invalid_params', 'integrity takes publicKeys or keySet, not both');
  }
  return policy;
}
