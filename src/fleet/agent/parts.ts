import type { RunnerError } from '../../errors.js';
import type { FleetConnection, PackageBytesPort, ServedVersion, StationPort } from '../ports.js';
import type { TrustedKeys } from '../state/signing.js';
import type { MaintenanceWindow } from '../state.js';
import type { AgentClock } from './clock.js';
import type { FleetFact } from './events.js';
import type { Memory } from './memory.js';

/** What the lanes of an agent share. */
export interface AgentParts {
  readonly plant: string;
  readonly name: string;
  readonly group: string | undefined;
  readonly window: MaintenanceWindow | undefined;
  readonly keys: TrustedKeys;
  readonly clock: AgentClock;
  readonly connection: FleetConnection;
  readonly bytes: PackageBytesPort;
  readonly station: StationPort;
  readonly memory: Memory;
  /** Ends with the agent. */
  readonly signal: AbortSignal;
  /** Writes down what happened, and tells listeners. */
  readonly note: (fact: FleetFact) => void;
  /** Tells listeners of a failure. */
  readonly failed: (error: RunnerError) => void;
}

/** Product ids by `name@version` of what serves them, for those that `wanted` names. */
export function productsByVersion(
  serving: Readonly<Record<string, ServedVersion>>,
  isWanted: (ref: string, product: string) => boolean,
): Map<string, string[]> {
  const products = new Map<string, string[]>();
  for (const [product, { name, version }] of Object.entries(serving)) {
    const ref = `${name}@${version}`;
    if (isWanted(ref, product)) products.set(ref, [...(products.get(ref) ?? []), product]);
  }
  return products;
}
