import { abortError, listenForAbort, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Clock } from '../clock.js';

/** What one call waits for. */
export interface WaitOptions<Place> {
  /** Calls of one lane keep their order; the lanes take turns, so that a busy one does not starve the others. */
  lane: string;
  /** On the clock of the queue. */
  deadline: number;
  signal?: AbortSignal;
  /** Which places will do. @defaultValue any */
  accepts?: (place: Place) => boolean;
  /** On the clock of the queue: within its lane, who came earlier goes first. @defaultValue now */
  arrivedAt?: number;
  /** At the head of its lane: a call that is tried again. */
  isRetry?: boolean;
}

interface Ticket<Place, Wish> {
  options: WaitOptions<Place> & Wish;
  arrivedAt: number;
  resolve: (place: Place) => void;
  reject: (error: RunnerError) => void;
}

/** Calls that wait for a place: fair, each until its own deadline. `Wish` is what else is known of a call. */
export class CallQueue<Place, Wish = unknown> {
  readonly #title: string;
  readonly #clock: Clock;
  /** In the order in which they take turns. */
  readonly #lanes = new Map<string, Ticket<Place, Wish>[]>();
  #size = 0;

  constructor(options: { title: string; clock: Clock }) {
    this.#title = options.title;
    this.#clock = options.clock;
  }

  /** Calls that wait. */
  get size(): number {
    return this.#size;
  }

  /** Calls that wait with such a wish. */
  count(isMeant: (options: WaitOptions<Place> & Wish) => boolean): number {
    return [...this.#lanes.values()].flat().filter(({ options }) => isMeant(options)).length;
  }

  /**
   * Waits for a place.
   *
   * @throws RunnerError `timeout` at the deadline, `aborted`, or what {@link rejectAll} was given
   */
  wait(options: WaitOptions<Place> & Wish): Promise<Place> {
    const { lane, deadline, signal, arrivedAt = this.#clock.now(), isRetry = false } = options;
    return new Promise((resolve, reject) => {
      throwIfAborted(signal, 'call');
      const waitMs = Math.max(0, deadline - this.#clock.now());
      const end = () => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#remove(lane, ticket);
      };
      const ticket: Ticket<Place, Wish> = {
        options,
        arrivedAt: isRetry ? -Infinity : arrivedAt,
        resolve: (place) => {
          end();
          resolve(place);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const cancel = this.#clock.after(waitMs, () => {
        ticket.reject(this.#tooLate(waitMs));
      });
      const onAbort = () => {
        if (signal) ticket.reject(abortError(signal, 'queued call'));
      };
      if (signal) listenForAbort(signal, onAbort);
      const tickets = this.#lanes.get(lane) ?? [];
      const later = tickets.findIndex((other) => other.arrivedAt > ticket.arrivedAt);
      tickets.splice(later < 0 ? tickets.length : later, 0, ticket);
      this.#lanes.set(lane, tickets);
      this.#size++;
    });
  }

  /** Gives a free place to whose turn it is. False when nobody wants it. */
  offer(place: Place): boolean {
    for (const [lane, tickets] of this.#lanes) {
      const ticket = tickets.find(({ options }) => options.accepts?.(place) ?? true);
      if (!ticket) continue;
      ticket.resolve(place);
      const rest = this.#lanes.get(lane);
      if (rest) {
        // Its next call comes after one of every other lane.
        this.#lanes.delete(lane);
        this.#lanes.set(lane, rest);
      }
      return true;
    }
    return false;
  }

  /** Ends the wait of every call. */
  rejectAll(error: RunnerError): void {
    for (const tickets of [...this.#lanes.values()]) {
      for (const ticket of [...tickets]) ticket.reject(error);
    }
  }

  #remove(lane: string, ticket: Ticket<Place, Wish>): void {
    const tickets = this.#lanes.get(lane);
    const index = tickets?.indexOf(ticket) ?? -1;
    if (!tickets || index === -1) return;
    tickets.splice(index, 1);
    this.#size--;
    if (tickets.length === 0) this.#lanes.delete(lane);
  }

  #tooLate(waitMs: number): RunnerError {
    return new RunnerError(
      'timeout',
      `No worker of ${this.#title} was free before the deadline of the call`,
      {
        details: { stage: 'queue', timeoutMs: Math.round(waitMs) },
      },
    );
  }
}
