import type { StepParameter } from '../package/types.js';

/** One step of a version, and the parameters that it takes. */
export interface StepParameters {
  /** Number of the step in a call. */
  index: number;
  /** For people. */
  name?: string;
  /**
   * Its parameters, in the order in which the package declares them. Absent or empty when it declares
   * none: then a call may hand over any parameters, and none is checked.
   */
  params?: StepParameter[];
}

/** What the steps of a version can be set to, see `Registry.parameters`. */
export interface ParameterSchema {
  /** Of the package. */
  name: string;
  /** Of the package. */
  version: string;
  /** Its steps, as `get_info()` or else the manifest declares them. Empty when neither does. */
  steps: StepParameters[];
}

/** Values by the key of the parameter. */
export type ParameterValues = Readonly<Record<string, unknown>>;
