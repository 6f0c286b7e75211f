import type { Lane } from '../../types.js';
import type { FailureCause, Outcome } from '../targets/port.js';

/** How the line to the receiver stands, for a person: whose move it is. */
export type NetworkState = 'unknown' | 'up' | FailureCause;

/** The last failure. */
export interface DeliveryFault {
  cause: FailureCause;
  reason: string;
  lane: Lane;
  /** Unix time in milliseconds. */
  at: number;
}

/** What was sent since delivery began. */
export interface Sent {
  records: number;
  pictures: number;
  bytes: number;
}

/** What both lanes have to tell. */
export class LaneProgress {
  readonly sent: Sent = { records: 0, pictures: 0, bytes: 0 };
  failures = 0;
  refused = 0;
  lastFault: DeliveryFault | undefined;
  lastTakenAt: number | undefined;
  /** By lane: a storage of pictures may be away while the platform is there. */
  readonly #network = new Map<Lane, NetworkState>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The worse of the two lanes. */
  get network(): NetworkState {
    const states = [...this.#network.values()];
    return states.find((state) => state !== 'up' && state !== 'unknown') ?? states[0] ?? 'unknown';
  }

  tell(lane: Lane, outcome: Outcome, amount: { count: number; bytes: number }): void {
    if (outcome.state === 'failed') {
      this.failures++;
      this.#network.set(lane, outcome.cause);
      this.lastFault = { cause: outcome.cause, reason: outcome.reason, lane, at: this.#now() };
      return;
    }
    this.#network.set(lane, 'up'); // a refusal is an answer too
    if (outcome.state === 'refused') return;
    this.lastTakenAt = this.#now();
    this.sent[lane] += amount.count;
    this.sent.bytes += amount.bytes;
  }

  /** Of another receiver nothing is known. */
  forget(): void {
    this.#network.clear();
  }
}
