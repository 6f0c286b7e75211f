import type { OperationOptions } from '../../abort.js';
import type { ImageInput } from '../../frames/types.js';
import type { ProbationPolicy } from '../probation.js';

/** A call that the new version must answer with status OK before it serves anybody. */
export interface WarmUp {
  /** A reference image. */
  image: ImageInput;
  guideImage?: ImageInput;
  /** @defaultValue 1 */
  stepIndex?: number;
  stepDesc?: string;
  userParams?: Record<string, unknown>;
  /** Calls made at each worker's place. @defaultValue 1 */
  calls?: number;
}

/** A version and the product ids it is to serve from now on. */
export interface SwitchOptions extends OperationOptions {
  name: string;
  version: string;
  pids: string[];
  operator?: string;
  /** Puts the new version on trial, the old one kept warm; `{}` takes the defaults. @defaultValue no trial */
  probation?: Partial<ProbationPolicy>;
  /** @defaultValue none: ready is enough */
  warmUp?: WarmUp;
  /** Also to a version that an id was taken back from. @defaultValue false */
  force?: boolean;
}

/** Back to an earlier version, by hand. */
export interface RollbackOptions extends OperationOptions {
  pid: string;
  /** Any version that is kept. @defaultValue the one that served the id before */
  to?: { name: string; version: string };
  operator?: string;
  warmUp?: WarmUp;
  force?: boolean;
}

/** Versions before and after. */
export interface SwitchedEvent {
  pids: string[];
  name: string;
  version: string;
  from: { name: string; version: string }[];
}

/** A version that did not stand its trial. `name` and `version` are those that were left. */
export interface SwitchedBackEvent {
  pids: string[];
  name: string;
  version: string;
  to: { name: string; version: string }[];
  reason: string;
}
