import { randomBytes } from 'node:crypto';
import type { Deployer } from '../../deploy/deployer.js';
import type { DeployerEvents } from '../../deploy/types.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEvents } from '../../registry/events.js';
import type { SupervisorEvents } from '../../supervisor/events.js';
import type { AlgorithmSupervisor } from '../../supervisor/algorithm-supervisor.js';
import type { PackageValidator, PackageValidatorEvents } from '../../validation/package-validator.js';
import { asJson } from './as-json.js';

/** Names of all events, by emitter: a new one is missed by the compiler. */
const EVENTS = {
  registry: {
    ...{
      registered: 0,
      unregistered: 0,
      activated: 0,
      deactivated: 0,
      switched: 0,
      rolledBack: 0,
      changed: 0,
    },
    ...{ damaged: 0, storeLost: 0, storeFound: 0, unmarked: 0, configured: 0, paramsSet: 0 },
  } satisfies Record<keyof RegistryEvents, 0>,
  deployer: {
    ...{
      discovered: 0,
      stage: 0,
      progress: 0,
      check: 0,
      installed: 0,
      invalid: 0,
      compiled: 0,
      uninstalled: 0,
    },
    ...{ ended: 0, pruned: 0, recovered: 0, error: 0 },
  } satisfies Record<keyof DeployerEvents, 0>,
  validator: { check: 0, report: 0 } satisfies Record<keyof PackageValidatorEvents, 0>,
  supervisor: {
    ...{ state: 0, ready: 0, exit: 0, restart: 0, recycled: 0, heartbeatLost: 0, log: 0, strayOutput: 0 },
    ...{ circuitOpen: 0, circuitClosed: 0, switched: 0, switchedBack: 0, accepted: 0, drained: 0 },
    ...{
      canary: 0,
      fellBack: 0,
      probationPassed: 0,
      warmStart: 0,
      shadow: 0,
      result: 0,
      callFailed: 0,
      error: 0,
    },
  } satisfies Record<keyof SupervisorEvents, 0>,
} as const;

type EmitterName = keyof typeof EVENTS;

/** Where events come from. */
export interface EventSources {
  registry: Registry;
  deployer: Deployer;
  validator?: PackageValidator | undefined;
  supervisor?: AlgorithmSupervisor | undefined;
}

/** Every name that an event may have. */
export const EVENT_NAMES: readonly string[] = [
  ...new Set(
    Object.entries(EVENTS).flatMap(([emitter, names]) => Object.keys(names).map((n) => sentName(emitter, n))),
  ),
];

/** How much is kept for clients that come back. */
const MOST_EVENTS = 1_000;
const MOST_CHARACTERS = 8 * 2 ** 20;

/** One event as it is sent. */
export interface FedEvent {
  id: string;
  name: string;
  /** JSON. */
  data: string;
}

/**
 * Events of all emitters, numbered, the last of them kept. It listens from the first client on, unless `listen` begins before: a handler
 * that nobody asks for events costs the emitters nothing.
 */
export class EventFeed {
  readonly #emitters: EventSources;
  readonly #root: string;
  /** Tells the numbers of this process from those of the one before. */
  readonly #epoch = randomBytes(6).toString('base64url');
  readonly #clients = new Set<(event: FedEvent) => void>();
  readonly #kept: FedEvent[] = [];
  #characters = 0;
  #count = 0;
  #isListening = false;

  constructor(options: EventSources) {
    const { registry, deployer, validator, supervisor } = options;
    this.#emitters = { registry, deployer, validator, supervisor };
    this.#root = registry.layout.root;
  }

  /** Calls the client for each event from now on; gives what ends that. */
  subscribe(client: (event: FedEvent) => void): () => void {
    this.listen();
    this.#clients.add(client);
    return () => {
      this.#clients.delete(client);
    };
  }

  /** What is kept. */
  get kept(): readonly FedEvent[] {
    return [...this.#kept];
  }

  /** What has come after an event; undefined where that is not known any more. */
  after(id: string): readonly FedEvent[] | undefined {
    const [epoch, number] = [id.slice(0, id.lastIndexOf('-')), Number(id.slice(id.lastIndexOf('-') + 1))];
    const first = this.#count - this.#kept.length; // number of the last event that was dropped
    if (epoch !== this.#epoch || !(number >= first && number <= this.#count)) return undefined;
    return this.#kept.slice(number - first);
  }

  /** Keeps events from now on, also without a client. */
  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    for (const [emitter, names] of Object.entries(EVENTS)) {
      const source = this.#emitters[emitter as EmitterName] as
        { on: (name: string, listener: (payload: unknown) => void) => void } | undefined;
      for (const name of Object.keys(names)) {
        source?.on(name, (payload) => {
          this.#take(emitter, name, payload);
        });
      }
    }
  }

  #take(emitter: string, name: string, payload: unknown): void {
    const about = Array.isArray(payload)
      ? { mappings: payload as unknown }
      : payload instanceof Error
        ? { error: payload }
        : payload;
    const plain = asJson(
      { ...(about as object | undefined), emitter, at: new Date().toISOString() },
      this.#root,
    );
    this.#count += 1;
    const event = {
      id: `${this.#epoch}-${this.#count}`,
      name: sentName(emitter, name),
      data: JSON.stringify(plain),
    };
    this.#kept.push(event);
    this.#characters += event.data.length;
    while (this.#kept.length > MOST_EVENTS || (this.#characters > MOST_CHARACTERS && this.#kept.length > 1)) {
      this.#characters -= this.#kept.shift()?.data.length ?? 0;
    }
    for (const client of this.#clients) client(event);
  }
}

/** A browser takes an event called `error` for a failure of the connection. */
function sentName(emitter: string, name: string): string {
  return name === 'error' ? `${emitter}.error` : name;
}
