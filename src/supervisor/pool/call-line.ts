import { abortError, listenForAbort } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Clock } from '../clock.js';

/** How many calls each worker has ahead of it with their images written: the one it runs, and the next. */
const AHEAD_OF_A_WORKER = 2;

/** What the line has to know of the workers, each at its place. */
export interface Places<Place, Wish> {
  /** Places there are to be. */
  count: () => number;
  /** Those that could take a call now, or as soon as their workers are started. */
  idle: () => number;
  /** An idle place that will do. */
  find: (wish: Wish) => Place | undefined;
  suits: (place: Place, wish: Wish) => boolean;
}

/** Until when a call waits. */
export interface Patience {
  /** On the clock of the line. */
  deadline: number;
  signal?: AbortSignal;
}

/** A call in the line, from its admission to its end. */
export interface Turn<Place = unknown, Wish = unknown> {
  readonly lane: string;
  readonly order: string;
  /** Whether it takes room in the line. */
  readonly isCounted: boolean;
  stage: 'admitted' | 'waiting' | 'writing' | 'ready' | 'served' | 'left';
  /** Whether it was let on and has not left. */
  isInside: boolean;
  /** Which place it waits for. */
  wish: Wish | undefined;
  /** Ends its wait. */
  settle: { resolve: (place: Place | undefined) => void; reject: (error: RunnerError) => void } | undefined;
}

/**
 * The calls of a deployment from their admission to their end: bounded, fair between lanes, each until its own deadline.
 *
 * Room, order and worker are granted by this one queue. A call is let on to write its image when it is the first of its
 * order whose image is not written, and when few enough calls are inside: the next image is in shared memory while a
 * worker computes, and a long queue costs no memory. Who has written first gets the first worker that will do. So calls
 * of one order come to the workers in the order of their admission, however large their images are.
 */
export class CallLine<Place, Wish> {
  readonly #title: string;
  readonly #clock: Clock;
  readonly #capacity: () => number;
  readonly #places: Places<Place, Wish>;
  /** Calls whose images are not written: lanes in the order in which they take turns, calls in that of their admission. */
  readonly #lanes = new Map<string, Turn<Place, Wish>[]>();
  /** Calls that wait for a place, the first to get one first. */
  #ready: Turn<Place, Wish>[] = [];
  #inside = 0;
  /** Calls that would write their images and may not yet: none are looked for where there are none. */
  #waiting = 0;
  /** Calls that no worker has. */
  #unserved = 0;

  constructor(o: {
    title: string;
    clock: Clock;
    /** Calls that may wait beyond those that a place is free for. */
    capacity: () => number;
    places: Places<Place, Wish>;
  }) {
    this.#title = o.title;
    this.#clock = o.clock;
    this.#capacity = o.capacity;
    this.#places = o.places;
  }

  /** Calls that no worker has yet. */
  get size(): number {
    return this.#unserved;
  }

  /** Calls that wait for a place with such a wish. */
  count(isMeant: (wish: Wish) => boolean): number {
    return this.#ready.filter(({ wish }) => wish !== undefined && isMeant(wish)).length;
  }

  /**
   * Takes a call in; it is to {@link leave}. Lanes take turns, so that a busy one does not starve the others; within a lane,
   * calls of one `order` keep their order.
   *
   * @throws RunnerError `queue_full`
   */
  admit(lane: string, order = ''): Turn<Place, Wish> {
    if (this.#unserved >= this.#capacity() + this.#places.idle()) throw this.#full();
    const turn = turnOf<Place, Wish>(lane, order, true);
    const turns = this.#lanes.get(lane);
    if (turns) turns.push(turn);
    else this.#lanes.set(lane, [turn]);
    this.#unserved++;
    return turn;
  }

  /** A call that takes no room and has no image to write. */
  aside(): Turn<Place, Wish> {
    return turnOf('', '', false);
  }

  /**
   * The call would write its image: undefined when it may at once, else a promise.
   *
   * @throws RunnerError (by the promise) `timeout` at the deadline, `aborted`, or what {@link rejectAll} was given
   */
  letOn(turn: Turn<Place, Wish>, patience: Patience): Promise<unknown> | undefined {
    if (!turn.isCounted) return undefined; // it has no place in a lane that could come
    if (turn.stage !== 'waiting') this.#waiting++;
    turn.stage = 'waiting';
    this.#fill();
    return turn.isInside ? undefined : this.#wait(turn, patience);
  }

  /**
   * The image is written, or was before: a place, or a promise of the next place that will do. A call that is tried again
   * comes before all others.
   *
   * @throws RunnerError (by the promise) as {@link letOn}
   */
  take(turn: Turn<Place, Wish>, wish: Wish, patience: Patience, isRetry: boolean): Place | Promise<Place> {
    const place = this.#places.find(wish);
    if (turn.stage === 'served' && turn.isCounted) this.#unserved++;
    const wasWriting = turn.stage === 'writing';
    if (place === undefined) {
      turn.stage = 'ready';
      turn.wish = wish;
      if (isRetry) this.#ready.unshift(turn);
      else this.#ready.push(turn);
    } else {
      this.#serve(turn);
    }
    if (wasWriting) {
      this.#leaveLane(turn);
      this.#fill();
    }
    return place ?? (this.#wait(turn, patience) as Promise<Place>);
  }

  /** Gives a free place to whose turn it is. False when nobody wants it. */
  offer(place: Place): boolean {
    const index = this.#ready.findIndex(({ wish }) => wish !== undefined && this.#places.suits(place, wish));
    const [turn] = index === -1 ? [] : this.#ready.splice(index, 1);
    if (!turn) return false;
    this.#serve(turn);
    turn.settle?.resolve(place);
    return true;
  }

  /** The call is over, or was given up. */
  leave(turn: Turn<Place, Wish>): void {
    if (turn.stage === 'left') return;
    if (turn.stage !== 'served' && turn.isCounted) this.#unserved--;
    if (turn.stage === 'waiting') this.#waiting--;
    if (turn.stage === 'ready') this.#ready = this.#ready.filter((other) => other !== turn);
    else if (turn.stage !== 'served') this.#leaveLane(turn);
    turn.stage = 'left';
    if (turn.isInside) this.#inside--;
    turn.isInside = false;
    this.#fill();
  }

  /** Ends the wait of every call. */
  rejectAll(error: RunnerError): void {
    const turns = [...[...this.#lanes.values()].flat(), ...this.#ready];
    for (const { settle } of turns) settle?.reject(error);
  }

  /** Lets on who may write now. */
  #fill(): void {
    if (this.#waiting === 0) return;
    const bound = AHEAD_OF_A_WORKER * Math.max(1, this.#places.count());
    while (this.#inside < bound) {
      const turn = this.#nextToWrite();
      if (!turn) return;
      this.#waiting--;
      turn.stage = 'writing';
      turn.isInside = true;
      this.#inside++;
      turn.settle?.resolve(undefined);
    }
  }

  #nextToWrite(): Turn<Place, Wish> | undefined {
    for (const [lane, turns] of this.#lanes) {
      const turn = turns.find(
        (one) => one.stage === 'waiting' && turns.find(({ order }) => order === one.order) === one,
      );
      if (!turn) continue;
      if (this.#lanes.size > 1) {
        // Its next call comes after one of every other lane.
        this.#lanes.delete(lane);
        this.#lanes.set(lane, turns);
      }
      return turn;
    }
    return undefined;
  }

  #serve(turn: Turn<Place, Wish>): void {
    turn.stage = 'served';
    if (turn.isCounted) this.#unserved--;
  }

  #leaveLane(turn: Turn<Place, Wish>): void {
    const turns = this.#lanes.get(turn.lane);
    const index = turns?.indexOf(turn) ?? -1;
    if (!turns || index === -1) return;
    turns.splice(index, 1);
    if (turns.length === 0) this.#lanes.delete(turn.lane);
  }

  #wait(turn: Turn<Place, Wish>, { deadline, signal }: Patience): Promise<Place | undefined> {
    return new Promise((resolve, reject) => {
      const waitMs = Math.max(0, deadline - this.#clock.now());
      const end = () => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
        turn.settle = undefined;
      };
      const fail = (error: RunnerError) => {
        end();
        this.leave(turn);
        reject(error);
      };
      const cancel = this.#clock.after(waitMs, () => {
        fail(this.#tooLate(waitMs));
      });
      const onAbort = () => {
        if (signal) fail(abortError(signal, 'queued call'));
      };
      turn.settle = {
        resolve: (place) => {
          end();
          resolve(place);
        },
        reject: fail,
      };
      if (signal?.aborted) onAbort();
      else if (signal) listenForAbort(signal, onAbort);
    });
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

  #full(): RunnerError {
    return new RunnerError(
      'queue_full',
      `${this.#title} has ${this.size} calls waiting, and takes ${this.#capacity()}: send fewer at once, or raise maxQueue or workers`,
    );
  }
}

function turnOf<Place, Wish>(lane: string, order: string, isCounted: boolean): Turn<Place, Wish> {
  return {
    lane,
    order,
    isCounted,
    stage: isCounted ? 'admitted' : 'writing',
    isInside: false,
    wish: undefined,
    settle: undefined,
  };
}
