import type { OperationOptions } from '../../abort.js';
import type { VersionRef } from '../../package/types.js';
import type { ParameterValues } from '../../parameters/types.js';
import type { ProductIdList, ProductIdName } from '../../product-ids.js';
import type { ImageInput } from '../../frames/types.js';
import type { ProbationPolicy } from './probation.js';

/** A call that the new version must answer with status OK before it serves anybody. */
export interface WarmUp {
  /** A reference image. */
  image: ImageInput;
  /** What it is compared with (execute-only generation). @defaultValue the image itself: nobody is given the verdict */
  guideImage?: ImageInput | 'same';
  /** Step that is called. @defaultValue the first that the version declares, else 1 */
  stepIndex?: number;
  /** Description of the step. */
  stepDesc?: string;
  /** Parameters of the call. */
  userParams?: Record<string, unknown>;
  /** Calls made at each worker's place. @defaultValue 1 */
  calls?: number;
}

/** A version and the product ids it is to serve from now on. */
export type SwitchOptions = ProductIdList & SwitchOrder;

/** What a switch takes besides the product ids that are moved. */
export interface SwitchOrder extends OperationOptions {
  /** The package's name. */
  name: string;
  /** The version that is to serve. */
  version: string;
  /** Who asked, for the audit log. */
  operator?: string;
  /**
   * Puts the new version on trial, the old one kept warm; `{}` takes the defaults. With a `share` there is a trial of this
   * kind at each step, and one when the product ids are mapped. @defaultValue no trial; with a `share` the defaults
   */
  probation?: Partial<ProbationPolicy>;
  /**
   * The new version gets this share of the calls at first, from 0.001 to 1, and the version that is mapped answers the
   * others; the product ids are mapped when it has stood a trial (`probation`) at each step. @defaultValue 1: mapped at once
   */
  share?: number;
  /** Shares that follow `share`, rising. @defaultValue those of 0.1, 0.25 and 0.5 that are above `share` */
  steps?: readonly number[];
  /** A call that must be answered before anything is moved. @defaultValue none: ready is enough */
  warmUp?: WarmUp;
  /** Also to a version that an id was taken back from. @defaultValue false */
  force?: boolean;
  /**
   * Parameters to keep for the product ids from now on, see `Registry.setParams`. Those that are kept must fit the new
   * version otherwise, or nothing is moved. @defaultValue those that are kept
   */
  params?: ParameterValues;
  /** Only say whether it could be made: the version is not started, and nothing is moved. @defaultValue false */
  dryRun?: boolean;
}

/** Back to an earlier version, by hand. */
export type RollbackOptions = ProductIdName & RollbackOrder;

/** What a rollback takes besides the product id that goes back. */
export interface RollbackOrder extends OperationOptions {
  /** Any version that is kept. @defaultValue the version that served the id before */
  to?: VersionRef;
  /** Who asked, for the audit log. */
  operator?: string;
  /** As for a switch. */
  warmUp?: WarmUp;
  /** As for a switch. */
  force?: boolean;
}

/** Versions before and after. */
export interface SwitchedEvent {
  /** Product ids that were moved. */
  productIds: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids: string[];
  /** The package's name. */
  name: string;
  /** The version that serves now. */
  version: string;
  /** Versions that served before. */
  from: VersionRef[];
}

/** A version that did not stand its trial. `name` and `version` are those that were left. */
export interface SwitchedBackEvent {
  /** Product ids that went back. */
  productIds: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids: string[];
  /** The package's name. */
  name: string;
  /** The version that was left. */
  version: string;
  /** Versions that serve again. */
  to: VersionRef[];
  /** What it failed by, for people. */
  reason: string;
}
