import { RunnerError } from '../../errors.js';
import type { Clock } from '../../supervisor/clock.js';
import { readLease } from '../state/read.js';
import type { KeyValuePort } from '../ports.js';
import type { LeaseState } from '../state.js';

export const LEASE_KEY = 'lease.controller';
/** The highest term that was given. It has no time to live, so that terms rise over leases that ran out. */
export const TERM_KEY = 'term.controller';

interface Held {
  term: number;
  revision: number;
  /** On the clock: from then on another may hold it. */
  until: number;
}

/**
 * The right to act. One controller has it: its key is created, lives for `leaseMs` and is renewed by compare-and-set. This side counts
 * from before each request, and stops at two thirds, so that it has stopped before the server lets another one in.
 */
export class Lease {
  readonly #values: KeyValuePort;
  readonly #clock: Clock;
  readonly #holder: string;
  readonly #leaseMs: number;
  #held: Held | undefined;
  /** How often the line was cut: what was asked before the last cut says nothing about the server after it. */
  #cuts = 0;

  constructor(values: KeyValuePort, o: { holder: string; leaseMs: number; clock: Clock }) {
    this.#values = values;
    this.#clock = o.clock;
    this.#holder = o.holder;
    this.#leaseMs = o.leaseMs;
  }

  /** The term, while this controller may act. */
  get term(): number | undefined {
    return this.#held && this.#clock.now() < this.#held.until ? this.#held.term : undefined;
  }

  /**
   * Takes or renews the lease. @returns whether this controller may act
   *
   * @param seenTerm - the highest term that was seen anywhere: a lost write must not give one out twice
   */
  async hold(seenTerm: number, signal?: AbortSignal): Promise<boolean> {
    try {
      if (this.#held) await this.#renew(this.#held, signal);
      else await this.#take(seenTerm, signal);
    } catch (error) {
      if (!RunnerError.is(error, 'conflict')) throw error;
      this.#held = undefined;
    }
    return this.term !== undefined;
  }

  /**
   * The line was cut: the server may have lost the lease, also one whose answer is still on its way. Nothing is done before it is
   * renewed.
   */
  doubt(): void {
    this.#cuts++;
    if (this.#held) this.#held.until = -Infinity;
  }

  /** Gives the lease back, so that a follower need not wait. One in doubt runs out: its revision may be that of another's by now. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held && held.until !== -Infinity) await this.#values.delete(LEASE_KEY, { revision: held.revision });
  }

  /** Acts no more: a higher term was seen. The lease is left to run out. */
  drop(): void {
    this.#held = undefined;
  }

  async #renew({ term, revision, until }: Held, signal: AbortSignal | undefined): Promise<void> {
    const state = { holder: this.#holder, term };
    if (until !== -Infinity) {
      await this.#put(state, revision, signal);
      return;
    }
    // A server that lost writes gives their revisions out again: after a cut the one held here may be that of another's lease.
    const cuts = this.#cuts;
    const stored = await this.#values.get(LEASE_KEY, signal ? { signal } : {});
    if (stored && this.#isOwn(stored.value, term)) await this.#put(state, stored.revision, signal, cuts);
    else this.#held = undefined;
  }

  async #take(seenTerm: number, signal: AbortSignal | undefined): Promise<void> {
    const o = signal ? { signal } : {};
    const cuts = this.#cuts;
    const [stored, last] = [await this.#values.get(LEASE_KEY, o), await this.#values.get(TERM_KEY, o)];
    // A lease of its own is there when the answer to its creation was lost.
    if ((stored && !this.#isOwn(stored.value)) || cuts !== this.#cuts) return;
    const term = Math.max(seenTerm, last ? termIn(TERM_KEY, last.value) : 0) + 1;
    const state = { holder: this.#holder, term };
    await this.#values.put(TERM_KEY, state, { ...o, revision: last?.revision ?? 0 });
    await this.#put(state, stored?.revision ?? 0, signal, cuts);
  }

  /** @param cuts - as they were when the revision was read: after a cut it may be that of another's lease, and nothing is written */
  async #put(
    state: LeaseState,
    revision: number,
    signal: AbortSignal | undefined,
    cuts = this.#cuts,
  ): Promise<void> {
    if (cuts !== this.#cuts) return;
    const until = this.#clock.now() + (this.#leaseMs * 2) / 3;
    const stored = await this.#values.put(LEASE_KEY, state, {
      ...(signal && { signal }),
      ...{ revision, ttlMs: this.#leaseMs },
    });
    this.#held = { term: state.term, revision: stored, until: cuts === this.#cuts ? until : -Infinity };
  }

  #isOwn(value: unknown, term?: number): boolean {
    try {
      const lease = readLease(LEASE_KEY, value);
      return lease.holder === this.#holder && (term === undefined || lease.term === term);
    } catch {
      return false; // not written by a controller: it is left to run out
    }
  }
}

/** A term that cannot be read counts as none: the highest that was seen in states holds. */
function termIn(key: string, value: unknown): number {
  try {
    return readLease(key, value).term;
  } catch {
    return 0;
  }
}
