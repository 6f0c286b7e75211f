/** What a worker says in its hello that keeps memory by places. */
const KEPT_MEMORY = 'kept_memory';
/** Places for memory at a worker. */
const PLACES = 16;
/**
 * Bytes of all that is kept, where that is more than two pictures: as much as the worker keeps mapped. The host may have given
 * the memory up, and its pages stay as long as it is open there.
 */
const MOST_BYTES = 1 << 26;
/** A place that was not used for so many calls is taken for empty. The worker keeps it for twice as many. */
const CALLS_UNUSED = 32;
/** A worker that may have fewer descriptors keeps none: each place takes one. */
const LEAST_DESCRIPTORS = 128;

interface Place {
  /** What the memory is known by; undefined where nothing is sure to be there. */
  memory: object | undefined;
  lastUsed: number;
}

/** Where a picture is to be found at the worker. */
export interface KeptPlace {
  number: number;
  /** It has to be handed over. */
  isNew: boolean;
  /** The place as it was given: other memory may get its number before this is handed over. */
  place: Place;
}

/**
 * What a worker keeps of memory that it was handed, by places that the host numbers: memory that is there need not be handed over
 * with each call. The worker puts what comes with a number at that place, whatever was there. It forgets all of them at a
 * ping between calls, so that memory that was given up goes.
 */
export class KeptMemory {
  readonly #places: Place[] = [];
  #next = 0;
  #calls = 0;

  /** For a worker with these capabilities, and so many descriptors; undefined where it keeps none. */
  static of(capabilities: readonly string[], descriptors = Infinity): KeptMemory | undefined {
    const keeps = capabilities.includes(KEPT_MEMORY) && descriptors >= LEAST_DESCRIPTORS;
    return keeps ? new KeptMemory() : undefined;
  }

  /** A call is made. */
  begin(): void {
    this.#calls++;
  }

  /** The place of some memory; where it has none, another loses its own. */
  placeOf(memory: object, bytes: number): KeptPlace {
    const number = this.#places.findIndex((place) => place.memory === memory);
    const found = this.#places[number];
    if (found && this.#calls - found.lastUsed < CALLS_UNUSED) return { number, isNew: false, place: found };
    if (found) found.memory = undefined;
    const most = Math.max(2, Math.min(PLACES, Math.floor(MOST_BYTES / bytes)));
    const next = this.#next < most ? this.#next : 0;
    this.#next = (next + 1) % PLACES;
    // Nothing is sure to be there until it was handed over.
    const place: Place = { memory: undefined, lastUsed: this.#calls };
    this.#places[next] = place;
    return { number: next, isNew: true, place };
  }

  /** The worker gets a call with some memory at its place, and the memory itself where that is new. */
  put({ number, isNew, place }: KeptPlace, memory: object): void {
    place.lastUsed = this.#calls;
    // A call that was made later, and that the worker gets later, may have the number.
    if (isNew && this.#places[number] === place) place.memory = memory;
  }

  /** Nothing is sure to be there. */
  forget(): void {
    for (const place of this.#places) place.memory = undefined;
  }
}
