import type { Clock } from '../../supervisor/clock.js';
import type { FleetConnection, StoredValue } from '../ports.js';
import { LEASE_KEY } from './lease.js';

/** What is watched. Desired states are not: controllers alone write them, and a follower reads them when its turn comes. */
const WATCHED = ['reported.>', 'rollout.>', 'group.>', 'bar.>', LEASE_KEY];
const OPEN_AGAIN_MS = 1_000;

interface WatchesOptions {
  clock: Clock;
  onWord: (key: string, stored: StoredValue | undefined) => void;
  /** Words may have been missed: all is to be read again. @param isLine - whether the whole line was cut */
  onGap: (isLine: boolean) => void;
}

/** The watches of a controller. Each is opened anew when it ends, and all of them when the line stands again. */
export class Watches {
  readonly #connection: FleetConnection;
  readonly #options: WatchesOptions;
  readonly #ends = new Map<string, () => void>();
  #endConnect: (() => void) | undefined;
  #isClosed = false;

  constructor(connection: FleetConnection, options: WatchesOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  open(): void {
    this.#endConnect = this.#connection.onConnect(() => {
      for (const key of WATCHED) this.#watch(key);
      this.#options.onGap(true);
    });
    for (const key of WATCHED) this.#watch(key);
  }

  close(): void {
    this.#isClosed = true;
    this.#endConnect?.();
    for (const end of this.#ends.values()) end();
    this.#ends.clear();
  }

  #watch(key: string): void {
    this.#ends.get(key)?.();
    if (this.#isClosed) return;
    let isOver = false;
    const end = this.#connection.values.watch(key, {
      onChange: (stored) => {
        if (!isOver) this.#options.onWord(key, stored);
      },
      onEnd: () => {
        if (isOver) return;
        const cancel = this.#options.clock.after(OPEN_AGAIN_MS, () => {
          this.#watch(key);
          this.#options.onGap(false);
        });
        this.#ends.set(key, cancel);
      },
    });
    this.#ends.set(key, () => {
      isOver = true;
      end();
    });
  }
}
