import type { IntegrityPolicy } from '../../../package/integrity.js';
import { RunnerError } from '../../../errors.js';
import { PackageValidator } from '../../../validation/package-validator.js';

/** A validator with a policy of signatures; without it where a key of the policy is none, which is a finding of its own. */
export function validatorFor(integrity: IntegrityPolicy | undefined): PackageValidator {
  if (!integrity || integrity.publicKeys?.length === 0) return new PackageValidator();
  try {
    return new PackageValidator({ integrity });
  } catch (error) {
    if (RunnerError.is(error, 'invalid_params')) return new PackageValidator();
    throw error;
  }
}
