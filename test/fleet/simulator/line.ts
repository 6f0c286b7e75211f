import { RunnerError } from '../../../src/errors.js';
import type {
  EventStreamPort,
  FleetConnection,
  KeyValuePort,
  StoredValue,
} from '../../../src/fleet/ports.js';
import { asError, type Life } from './life.js';
import type { SimServer } from './server.js';
import type { World } from './world.js';

/** A request that is not answered ends after so long. */
const LIMIT_MS = 3_000;

/** How bad a network is. */
export interface Weather {
  /** Share of words of watches that are lost, told twice; of requests that are late, done twice. */
  lost: number;
  doubled: number;
  late: number;
}

/** The cable between a machine and the server; it stays when the process dies. */
export class SimCable {
  readonly world: World;
  readonly server: SimServer;
  isCut = false;
  /** Half open: packets vanish, and nobody says so. */
  isSilent = false;
  weather: Weather = { lost: 0, doubled: 0, late: 0 };
  #connection: SimConnection | undefined;

  constructor(world: World, server: SimServer) {
    this.world = world;
    this.server = server;
  }

  get carries(): boolean {
    return !this.isCut && !this.isSilent && this.server.isUp;
  }

  connect(life: Life): SimConnection {
    this.#connection?.drop(false);
    return (this.#connection = new SimConnection(this, life));
  }

  /** The connection ends, as the client notices it. */
  drop(): void {
    this.#connection?.drop(true);
  }

  /** The cable is whole again: the client connects. */
  mend(): void {
    this.isCut = false;
    this.isSilent = false;
    this.#connection?.drop(true);
    this.#connection?.reconnect();
  }
}

/** The line of one process. */
export class SimConnection implements FleetConnection {
  readonly #cable: SimCable;
  readonly #life: Life;
  readonly #listeners = new Set<() => void>();
  readonly #watches = new Set<{ end: (isTold: boolean) => void }>();
  isConnected: boolean;

  constructor(cable: SimCable, life: Life) {
    this.#cable = cable;
    this.#life = life;
    this.isConnected = cable.carries;
    if (!this.isConnected) this.reconnect();
  }

  readonly values: KeyValuePort = {
    get: (key, o) => this.#request(`get ${key}`, o?.signal, (server) => server.get(key)),
    put: (key, value, o) => this.#request(`put ${key}`, o?.signal, (server) => server.put(key, value, o)),
    delete: (key, o) =>
      this.#request(`delete ${key}`, o?.signal, (server) => {
        server.delete(key, o);
      }),
    list: (prefix, o) => this.#request(`list ${prefix}`, o?.signal, (server) => server.list(prefix)),
    watch: (key, o) => this.#watch(key, o.onChange, o.onEnd),
  };

  readonly events: EventStreamPort = {
    publish: (station, body, o) =>
      this.#request(`publish ${o.id}`, o.signal, (server) => server.publish(station, body, o)),
    lastOffset: (station, o) =>
      this.#request(`lastOffset ${station}`, o?.signal, (server) => server.lastOffset(station)),
    read: (o) =>
      this.#request('read', o?.signal, (server) =>
        server.stream
          .map((event, index) => ({
            ...{ sequence: index + 1, subject: event.station, body: JSON.parse(event.body) as unknown },
            storedAt: new Date(event.at).toISOString(),
          }))
          .filter(
            ({ sequence, subject }) => sequence > (o?.after ?? 0) && (o?.station ?? subject) === subject,
          )
          .slice(0, o?.limit ?? 100),
      ),
  };

  onConnect(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.drop(false);
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** Half of the watches end with a word, half of them never say one again. */
  drop(isTold: boolean): void {
    this.isConnected = false;
    for (const watch of this.#watches) watch.end(isTold && this.#cable.world.chance(0.5));
    this.#watches.clear();
  }

  reconnect(): void {
    this.#life.after(this.#cable.world.between(50, 2_000), () => {
      if (this.isConnected || !this.#life.isAlive) return;
      if (!this.#cable.carries) {
        this.reconnect();
        return;
      }
      this.isConnected = true;
      for (const listener of this.#listeners) listener();
    });
  }

  #latency(): number {
    const { world, weather } = this.#cable;
    return world.chance(weather.late) ? world.between(1_000, 8_000) : world.between(1, 40);
  }

  async #request<T>(
    what: string,
    signal: AbortSignal | undefined,
    act: (server: SimServer) => T,
  ): Promise<T> {
    const { world, weather } = this.#cable;
    const answer = this.#life.call<T>(0, () => this.#travel(what, act), { signal });
    if (world.chance(weather.doubled)) {
      // The same packet a second time: its answer is nobody's.
      world.after(world.between(100, 5_000), () => {
        try {
          if (this.#cable.carries) act(this.#cable.server);
        } catch {
          // as the server says: nobody hears it
        }
      });
    }
    return answer;
  }

  #travel<T>(what: string, act: (server: SimServer) => T): Promise<T> {
    const { world } = this.#cable;
    return new Promise<T>((resolve, reject) => {
      if (!this.isConnected && world.chance(0.5)) {
        reject(new RunnerError('unreachable', `${what}: no line`));
        return;
      }
      const cancel = world.after(LIMIT_MS, () => {
        reject(new RunnerError('timeout', `${what}: no answer`, { details: { timeoutMs: LIMIT_MS } }));
      });
      const arrive = () => {
        if (!this.#cable.carries) return;
        let give: () => void;
        try {
          const value = act(this.#cable.server);
          give = () => {
            resolve(value);
          };
        } catch (error) {
          give = () => {
            reject(asError(error));
          };
        }
        world.after(this.#latency(), () => {
          if (!this.#cable.carries) return;
          cancel();
          give();
        });
      };
      world.after(this.#latency(), () => {
        // A client without a line keeps what it is asked to send, and sends it once the line stands again.
        if (this.isConnected || world.chance(0.5)) arrive();
        else world.after(world.between(100, 2_500), arrive);
      });
    });
  }

  #watch(
    key: string,
    onChange: (stored: StoredValue | undefined) => void,
    onEnd: (reason: string) => void,
  ): () => void {
    const { world, server, weather } = this.#cable;
    let isOpen = true;
    let end = () => undefined as unknown;
    const prefix = key.endsWith('>') ? key.slice(0, -1) : undefined;
    const watch = {
      end: (isTold: boolean) => {
        isOpen = false;
        end();
        if (isTold)
          this.#life.after(world.between(1, 500), () => {
            onEnd('the line ended');
          });
      },
    };
    this.#watches.add(watch);
    const hear = (stored: StoredValue | undefined) => {
      this.#life.after(this.#latency(), () => {
        if (isOpen && this.#cable.carries) onChange(stored);
      });
    };
    world.after(this.#latency(), () => {
      if (!isOpen || !this.#cable.carries) return;
      end = server.watch({
        matches: (one) => (prefix === undefined ? one === key : one.startsWith(prefix)),
        deliver: (stored) => {
          if (world.chance(weather.lost)) return;
          hear(stored);
          if (world.chance(weather.doubled)) hear(stored);
        },
      });
    });
    return () => {
      isOpen = false;
      end();
      this.#watches.delete(watch);
    };
  }
}
