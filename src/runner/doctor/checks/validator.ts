import { RunnerError } from '../../../errors.js';
import type { IntegrityPolicy } from '../../../package/integrity.js';
import { VenvManager } from '../../../python/venv-manager.js';
import { PackageValidator } from '../../../validation/package-validator.js';

/**
 * A validator that asks these interpreters, with a policy of signatures; without it where a key of the policy is none, which is
 * a finding of its own.
 */
export function validatorFor({
  integrity,
  python,
}: {
  integrity?: IntegrityPolicy;
  python?: string | string[];
}): PackageValidator {
  const parts = { venvs: new VenvManager({ python }) };
  if (!integrity || integrity.publicKeys?.length === 0) return new PackageValidator(parts);
  try {
    return new PackageValidator({ ...parts, integrity });
  } catch (error) {
    if (RunnerError.is(error, 'invalid_params')) return new PackageValidator(parts);
    throw error;
  }
}
