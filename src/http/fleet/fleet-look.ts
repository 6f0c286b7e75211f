import type { FleetOperator } from '../../fleet/controller/operator.js';
import type { FleetStatus } from '../../fleet/controller/status.js';

/** What the endpoints of the fleet need: a `FleetOperator` of `procvision-runner/fleet`, or what does the same. */
export type FleetDesk = Pick<FleetOperator, 'status' | 'halt' | 'approve' | 'back'>;

/** A look stands so long: pages that ask every two seconds, and a scrape, read the bucket once a second at most. */
const STANDS_MS = 1_000;
/** A bucket that does not answer holds up a page, a scrape or a word no longer than this. */
export const FLEET_LIMIT_MS = 5_000;

/** The plant at a glance, read once for all who ask at about the same time. */
export class FleetLook {
  readonly desk: FleetDesk;
  #look: { status: Promise<FleetStatus>; at: number } | undefined;

  constructor(desk: FleetDesk) {
    this.desk = desk;
  }

  /** @throws RunnerError as `FleetOperator.status` */
  status(): Promise<FleetStatus> {
    const now = performance.now();
    if (this.#look && now - this.#look.at < STANDS_MS) return this.#look.status;
    const status = this.desk.status({ signal: AbortSignal.timeout(FLEET_LIMIT_MS) });
    this.#look = { status, at: now };
    status.catch(() => undefined); // each who asks gets it
    return status;
  }

  /** A word was given: what is known is older. */
  forget(): void {
    this.#look = undefined;
  }
}
