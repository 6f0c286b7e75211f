import type { VersionRef } from '../package/types.js';
import { parametersError, StepRules, type ParameterFault } from './step-rules.js';
import type { ParameterValues, StepParameters } from './types.js';
import type { PictureSize } from './value-rules.js';

/** Parameters of a call as they are before a version fills in its own: what it hands over, and what is kept for its product id. */
export interface GivenValues {
  /** Of the request: they come first. What is `undefined` is left out. */
  given: ParameterValues | undefined;
  /** Product id of the call, if it has one. */
  productId?: string | undefined;
  /** Of the product id (`Registry.setParams`): where the request brings none. */
  kept: ParameterValues | undefined;
}

/** Values that a package brings for product ids without assets of their own. */
export interface StandardValues {
  /** By name; what no step declares is left out. */
  values: ParameterValues;
  /** Product ids with assets of their own. */
  exceptFor: ReadonlySet<string>;
}

/** The parameters that calls of one version get. Its rules are made once, when it is started. */
export class CallParameters {
  /** Of the package's own `default_config`; known once its files were looked at. */
  standard: StandardValues | undefined;
  readonly #version: VersionRef;
  readonly #rules: StepRules;

  constructor(version: VersionRef, steps: readonly StepParameters[] | undefined) {
    this.#version = version;
    this.#rules = new StepRules(steps ?? []);
  }

  /**
   * The values for a call: those of the request, then those that are kept, then those of the
   * package's `default_config`, then the defaults that the step declares.
   *
   * @throws RunnerError `invalid_params` (1006) with the path and the bound of each fault
   */
  of(stepIndex: number, { productId = '', given: asked, kept }: GivenValues): ParameterValues | undefined {
    const given = asked && withoutUndefined(asked);
    if (this.#rules.isEmpty) return kept ? { ...kept, ...given } : given;
    const { values: brought, exceptFor } = this.standard ?? {};
    let all = given ?? {};
    if (brought || kept) {
      const isBrought = brought !== undefined && exceptFor?.has(productId) !== true;
      const own = this.#ofStep(stepIndex, isBrought ? { ...brought, ...kept } : (kept ?? {}));
      all = given ? { ...own, ...given } : own;
    }
    const { values, faults } = this.#rules.fill(stepIndex, all);
    this.#refuse(faults);
    return values;
  }

  /** @throws RunnerError `invalid_params` (1007) for a region that reaches out of the picture */
  checkRegions(stepIndex: number, values: ParameterValues | undefined, picture: PictureSize): void {
    if (values) this.#refuse(this.#rules.regionFaults(stepIndex, values, picture));
  }

  /** What is kept for a product id is for all of its steps: each call gets what its step has. */
  #ofStep(stepIndex: number, values: ParameterValues): ParameterValues {
    const known = this.#rules.keysOf(stepIndex);
    if (!known || Object.keys(values).every((key) => known.has(key))) return values;
    return Object.fromEntries(Object.entries(values).filter(([key]) => known.has(key)));
  }

  #refuse(faults: readonly ParameterFault[]): void {
    if (faults.length > 0) throw parametersError(faults, this.#version, 'userParams');
  }
}

/** JSON has no `undefined`: laid over a value that is kept, it would take that away, and bring none. */
function withoutUndefined(values: ParameterValues): ParameterValues {
  if (!Object.values(values).includes(undefined)) return values;
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
