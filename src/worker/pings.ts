import { expireAfter } from './expiry.js';

/** Pings that were sent and not answered yet. */
export class Pings {
  readonly #open = new Map<string, (() => void) | undefined>();
  #sent = 0;

  /** Id of a new ping; `onPong` is called when it is answered. */
  open(onPong?: () => void): string {
    const id = `ping-${++this.#sent}`;
    this.#open.set(id, onPong);
    return id;
  }

  /** Sends a ping and waits for its pong; gives the time between, in ms. Past `limitMs` it rejects with `late()`. */
  async roundTrip(limitMs: number, send: (id: string) => void, late: () => Error): Promise<number> {
    const sentAt = performance.now();
    await new Promise<void>((resolve, reject) => {
      const cancel = expireAfter(limitMs, () => {
        reject(late());
      });
      send(
        this.open(() => {
          cancel();
          resolve();
        }),
      );
    });
    return performance.now() - sentAt;
  }

  /** A pong came; false when no open ping has this id. Pings before it were passed over and are forgotten. */
  settle(id: string | undefined): boolean {
    if (id === undefined || !this.#open.has(id)) return false;
    for (const [open, onPong] of this.#open) {
      this.#open.delete(open);
      if (open === id) {
        onPong?.();
        break;
      }
    }
    return true;
  }
}
