import { RunnerError } from '../../errors.js';

/** How much may be under way at once. */
export interface AdmissionLimits {
  /** Inspections. */
  maxInspections: number;
  /** Bytes of their bodies together. */
  maxBufferedBytes: number;
}

/** One inspection that was let in. */
export interface Admitted extends Disposable {
  /** Counts bytes that are held from now on. @throws RunnerError `queue_full` where there is no room for them */
  reserve: (bytes: number) => void;
}

/**
 * Lets inspections in while there is room for their pictures. The room is taken before a body is read: a client that is
 * refused has cost no memory, and comes again after `Retry-After`.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  #inspections = 0;
  #bytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Inspections that are under way. */
  get inspections(): number {
    return this.#inspections;
  }

  /** Bytes that they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws RunnerError `queue_full` */
  enter(): Admitted {
    const { maxInspections, maxBufferedBytes } = this.#limits;
    if (this.#inspections >= maxInspections) {
      throw full(
        `${maxInspections} inspections are under way, which are as many as this server takes at once`,
      );
    }
    this.#inspections += 1;
    let reserved = 0;
    let isIn = true;
    return {
      reserve: (bytes) => {
        if (this.#bytes + bytes > maxBufferedBytes) {
          throw full(
            `There is no room for ${bytes} bytes more: ${this.#bytes} of ${maxBufferedBytes} bytes are taken by pictures of other requests`,
          );
        }
        reserved += bytes;
        this.#bytes += bytes;
      },
      [Symbol.dispose]: () => {
        if (!isIn) return;
        isIn = false;
        this.#inspections -= 1;
        this.#bytes -= reserved;
      },
    };
  }
}

function full(fault: string): RunnerError {
  return new RunnerError('queue_full', `${fault}. Ask again after the time in Retry-After`);
}
