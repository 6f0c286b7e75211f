import type { VersionRef } from '../package/types.js';
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
}
