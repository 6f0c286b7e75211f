import type { Lane } from '../../types.js';
import type { FailureCause, Outcome } from '../targets/port.js';

/** How the line to the receiver stands, for a person: whose move it is. */
export type NetworkState = 'unknown' | 'up' | FailureCause;

/** The last failed attempt. */
export interface DeliveryFault {
  /** Who has to do something. */
  cause: FailureCause;
  /** In one line, with what the receiver answered. */
  reason: string;
  /** Whether records or pictures were sent. */
  lane: Lane;
  /** When it was: Unix time in milliseconds. */
  at: number;
  /**
   * When it was over: the receiver answered in this lane, nothing waits in it any more, or another receiver was set. Unix time in
   * milliseconds; undefined while it lasts.
   */
  endedAt?: number;
}

/** What was taken since delivery began. */
export interface Sent {
  records: number;
  pictures: number;
  /** Of both, as they are stored. */
  bytes: number;
}

/** What both lanes have to tell. */
export class LaneProgress {
  /** When delivery began: Unix time in milliseconds. */
  readonly startedAt: number;
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
    this.startedAt = now();
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
    this.#endFault(lane);
    if (outcome.state === 'refused') return;
    this.lastTakenAt = this.#now();
    this.sent[lane] += amount.count;
    this.sent.bytes += amount.bytes;
  }

  /** Nothing waits in a lane: what failed there was given up or set aside since, and is no trouble any more. */
  rest(lane: Lane): void {
    if (this.#network.get(lane) === 'up') return;
    this.#network.delete(lane);
    this.#endFault(lane);
  }

  /** Of another receiver nothing is known. */
  forget(): void {
    this.#network.clear();
    if (this.lastFault) this.#endFault(this.lastFault.lane);
  }

  #endFault(lane: Lane): void {
    if (this.lastFault?.lane !== lane || this.lastFault.endedAt !== undefined) return;
    this.lastFault = { ...this.lastFault, endedAt: this.#now() };
  }
}
