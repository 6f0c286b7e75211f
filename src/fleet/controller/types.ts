import type { KeyObject } from 'node:crypto';
import type { OperationOptions } from '../../abort.js';
import type { Clock } from '../../supervisor/clock.js';
import type { FleetConnection } from '../ports.js';
import type { MaintenanceWindow } from '../state.js';

/** Keys that signed states are checked with, and are signed with. */
export interface StateKeys {
  /** Ed25519 private key, as PEM (PKCS #8) or key object; without it nothing can be written. */
  privateKey?: string | KeyObject;
  /** Further keys whose states hold, such as that of another operator. @defaultValue that of `privateKey` alone */
  publicKeys?: readonly (string | KeyObject)[];
}

/** How a {@link FleetController} runs. */
export interface FleetControllerOptions extends StateKeys {
  /** The line to the server. It stays the caller's: `close()` leaves it open. */
  connection: FleetConnection;
  /** Name of the plant: states of another are left alone. */
  plant: string;
  /** Signs what the controller writes: Ed25519, as PEM (PKCS #8) or key object. */
  privateKey: string | KeyObject;
  /** Name among controllers. It must be its own. @defaultValue host name and a random part */
  holder?: string;
  /** How long the lease lives: another controller acts so long after the last word of a controller that died. @defaultValue 3_000 */
  leaseMs?: number;
  /** @defaultValue the system's clock */
  clock?: Clock;
}

/** What a {@link FleetOperator} works with. */
export interface FleetOperatorOptions extends StateKeys {
  /** The line to the server. It stays the caller's. */
  connection: FleetConnection;
  plant: string;
}

/** Who asks for something, and why. */
export interface OperatorWord extends OperationOptions {
  /** @defaultValue `operator` */
  by?: string;
  reason?: string;
}

/** An approval of a wave. */
export interface ApprovalWord extends OperatorWord {
  /**
   * The wave that was looked at, from 1, as `status()` shows it: an approval that comes after the rollout has gone on approves nothing.
   * @defaultValue the wave that is under way
   */
  wave?: number;
}

/** A group, as an operator sets it. */
export interface GroupOptions extends OperationOptions {
  group: string;
  stations: string[];
  /** When its stations may switch, in their own local time. @defaultValue at any time */
  window?: MaintenanceWindow;
  /** Stations of it that may be on the way at a time: a number, or a share such as `10%`. @defaultValue all */
  maxUnavailable?: number | string;
}

/** How a bucket is made anew. */
export interface RebuildOptions extends OperatorWord {
  /** Says what would be written, and writes nothing. @defaultValue false */
  dryRun?: boolean;
}
