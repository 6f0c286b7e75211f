import { RunnerError } from '../errors.js';
import { parametersError, StepRules } from '../parameters/step-rules.js';
import type { ParameterValues } from '../parameters/types.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** Which parameters are kept for a product id. */
export interface ParamsChange {
  /** The product id; it must be active. */
  productId: string;
  /** Values by name, in place of those that are kept; empty takes them away. */
  params: ParameterValues;
  /** Who asks, for the audit log. */
  operator?: string;
}

/**
 * Refuses values that the version does not take: a name that none of its steps has, or a value that none of them allows.
 * A version that declares no parameters takes any.
 *
 * @throws RunnerError `invalid_params` (1006, 1007) with every fault
 */
export function checkParams(entry: RegistryEntry, params: ParameterValues): void {
  const rules = new StepRules(entry.steps ?? []);
  if (rules.isEmpty) return;
  const faults = rules.faultsOf(params);
  if (faults.length > 0) throw parametersError(faults, entry, 'params');
}

/**
 * The same at a change of version, for what is kept for the product ids: before anything moves.
 *
 * @throws RunnerError `invalid_params` naming the product id and the remedy
 */
export function checkKeptParams(
  entry: RegistryEntry,
  pids: readonly string[],
  active: Readonly<Record<string, ActiveMapping>>,
  given: ParameterValues | undefined,
): void {
  if (given) {
    checkParams(entry, given);
    return;
  }
  for (const pid of pids) {
    const { params } = active[pid] ?? {};
    if (!params) continue;
    try {
      checkParams(entry, params);
    } catch (error) {
      if (!RunnerError.is(error, 'invalid_params')) throw error;
      const { errorCode, details } = error;
      throw new RunnerError(
        'invalid_params',
        `The parameters that are kept for ${pid} do not go with it to ${entry.name} ${entry.version}, and nothing was changed. ` +
          `${error.message}. Hand over what is to be kept with the change (params: { … }; params: {} keeps none)`,
        { errorCode, details: { ...details, productIds: [pid] } },
      );
    }
  }
}

/**
 * The same where a version is replaced by another of its name: what is kept for its product ids is for the old one.
 *
 * @throws RunnerError `version_in_use` naming the product id and the remedy
 */
export function checkParamsStay(entry: RegistryEntry, active: Readonly<Record<string, ActiveMapping>>): void {
  const { name, version } = entry;
  for (const { pid, params, ...served } of Object.values(active)) {
    if (!params || served.name !== name || served.version !== version) continue;
    try {
      checkParams(entry, params);
    } catch (error) {
      if (!RunnerError.is(error, 'invalid_params')) throw error;
      throw new RunnerError(
        'version_in_use',
        `${name} ${version} is active for ${pid}, and the new package does not take the parameters that are kept for it. ` +
          `${error.message}. Take them away first (setParams with params: {}), replace the version, and set those that it takes`,
        { cause: error, details: { ...error.details, name, version, productIds: [pid] } },
      );
    }
  }
}
