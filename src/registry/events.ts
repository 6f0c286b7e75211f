import type { VersionRef } from '../package/types.js';
import type { ParameterValues } from '../parameters/types.js';
import type { RegistryDamage } from './rebuild.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** Events of a Registry. */
export interface RegistryEvents {
  /** A version was registered. */
  registered: [entry: RegistryEntry];
  /** A version is not deployed any more. */
  unregistered: [version: VersionRef];
  /** Product ids were bound to a version. */
  activated: [mappings: ActiveMapping[]];
  /** Product ids are served by none any more; the mappings they had. */
  deactivated: [mappings: ActiveMapping[]];
  /** Product ids were moved to another version. */
  switched: [mappings: ActiveMapping[]];
  /** A product id is back at an earlier version. */
  rolledBack: [mapping: ActiveMapping];
  /** Another process wrote the registry. */
  changed: [];
  /** `registry.json` was damaged; what could be was taken from disk. */
  damaged: [damage: RegistryDamage];
  /** The store cannot be reached any more (a disk that is gone or fails); what was read last serves on. */
  storeLost: [error: Error];
  /** The store can be reached again. */
  storeFound: [];
  /**
   * A version is used without a mark of use, because the store cannot be written (read-only, full): nothing keeps another
   * process from removing it. The mark is made as soon as the store can be written.
   */
  unmarked: [event: UnmarkedEvent];
  /** A policy was set for a version. */
  configured: [event: ConfiguredEvent];
  /** Parameters were set for a product id. */
  paramsSet: [event: ParamsSetEvent];
}

/** A product id and the parameters that were set for it. */
export interface ParamsSetEvent extends VersionRef {
  productId: string;
  /** As they were given; empty when they were removed. */
  params: ParameterValues;
}

/** A version that is used without a mark. */
export interface UnmarkedEvent extends VersionRef {
  /** Why the mark could not be made. */
  error: Error;
}

/** A version and the policy that was set for it. */
export interface ConfiguredEvent extends VersionRef {
  /** As it was given; empty when it was removed. */
  policy: Readonly<Record<string, unknown>>;
}
