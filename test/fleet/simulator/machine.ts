import { FleetAgent } from '../../../src/fleet/agent/agent.js';
import type { FleetAgentOptions } from '../../../src/fleet/agent/types.js';
import { SimDisk } from './disk.js';
import { Life } from './life.js';
import { SimCable } from './line.js';
import type { SimServer } from './server.js';
import { SimStation, Violation, type Catalogue } from './station.js';
import type { World } from './world.js';

/** Longest time from the word of a bar, or from the start of the process, until nothing serves the version. */
const BACK_WITHIN_MS = 10_000;
/** Longest time from the word of a bar until the disk, which takes it, has it. */
const WRITTEN_WITHIN_MS = 1_000;
/** Calls of ports that a process makes before it dies, at most: so every await of its first minutes is a place to die at. */
const MAX_CALLS = 150;

/** One machine: its process, which runs the real agent, its disk, its cable and its clock. */
export class Machine {
  readonly name: string;
  readonly world: World;
  disk: SimDisk;
  readonly cable: SimCable;
  readonly station: SimStation;
  readonly #settings: Pick<FleetAgentOptions, 'plant' | 'group' | 'publicKeys'>;
  #life: Life | undefined;
  /** When the present process heard of a bar. */
  readonly #heard = new Map<string, number>();
  /** Bars that a process of this disk heard of, long enough before its end. */
  readonly #durable = new Set<string>();
  readonly #lifted = new Map<string, number>();
  /** Minutes by which the clock of the station is off. */
  clockOff = 0;
  /** Whether the sources of packages answer. */
  hasSources = true;
  /** Share of lives that end in the middle of a call. */
  frailty = 0;
  agent: FleetAgent | undefined;
  /** Of the desired state that the present process heard last. */
  #rev = 0;
  /** What a revision asked for. */
  wanted: (rev: number) => Readonly<Record<string, string>> = () => ({});

  constructor(
    name: string,
    world: World,
    server: SimServer,
    catalogue: Catalogue,
    settings: Pick<FleetAgentOptions, 'plant' | 'group' | 'publicKeys'>,
  ) {
    this.name = name;
    this.world = world;
    this.#settings = settings;
    this.disk = new SimDisk(world);
    this.cable = new SimCable(world, server);
    this.station = new SimStation(name, world, catalogue);
    this.station.onSwitch = (ref, products) => {
      this.#checkSwitch(ref, products);
    };
    this.station.onBack = (ref) => {
      const isWritten = Object.hasOwn(this.disk.record.quarantined, ref);
      // The word that a bar was lifted may come while the way back begins.
      if (!this.#isBarred(ref) && !isWritten && world.now - (this.#lifted.get(ref) ?? -Infinity) > 1_000)
        throw this.#violation(`goes back from ${ref}, which has no bar`);
    };
  }

  get isRunning(): boolean {
    return this.#life?.isAlive === true;
  }

  start(): void {
    const { world } = this;
    if (this.isRunning) return;
    const dies = world.chance(this.frailty);
    const life = new Life(world, {
      ...(dies && { diesAt: 1 + Math.floor(world.random() * MAX_CALLS) }),
      onDeath: () => {
        world.tell(`${this.name} died`);
        this.agent = undefined;
        world.after(world.between(500, 20_000), () => {
          this.start();
        });
      },
    });
    this.#life = life;
    this.#heard.clear();
    this.#rev = this.disk.record.revision;
    // What was heard before, and had its time to be written down, is heard at the start.
    for (const ref of this.#durable) this.#heard.set(ref, world.now);
    world.tell(`${this.name} starts`);
    void this.#run(life);
  }

  /** The present process lives on. */
  calm(): void {
    this.frailty = 0;
    this.#life?.spare();
  }

  crash(): void {
    this.#life?.end();
  }

  /** The disk that the agent writes to is another from now on; the store of the station is not. */
  replaceDisk(): void {
    this.crash();
    this.disk = new SimDisk(this.world, true);
    this.#durable.clear();
    this.world.tell(`${this.name}: a new disk`);
  }

  /** What an agent of this machine works on. */
  options(life = new Life(this.world, { onDeath: () => undefined })): FleetAgentOptions {
    const { world } = this;
    return {
      ...this.#settings,
      ...{ station: this.name, connection: this.cable.connect(life), disk: this.disk.port(life) },
      ...{ target: this.station.port(life), bytes: this.station.bytes(life, () => this.hasSources) },
      library: '0.0.0',
      clock: {
        now: () => world.now,
        random: () => world.random(),
        after: (delayMs, run) => life.after(delayMs, run),
        local: () => this.local(),
      },
    };
  }

  async #run(life: Life): Promise<void> {
    const { world } = this;
    const agent = await FleetAgent.start(this.options(life));
    this.agent = agent;
    agent.on('event', (event) => {
      if (!life.isAlive) return;
      world.tell(`${this.name} ${JSON.stringify({ ...event, at: undefined })}`);
      if (event.kind === 'desired') this.#rev = event.rev;
      if (event.kind === 'bar') this.#hear(event.version, life);
      if (event.kind === 'lifted') {
        this.#heard.delete(event.version);
        this.#durable.delete(event.version);
        this.#lifted.set(event.version, world.now);
      }
    });
    agent.on('failure', (error) => {
      world.tell(`${this.name} failure ${error.code} ${error.message}`);
      if (life.isAlive && error.code === 'internal') throw error;
    });
    agent.on('listenerError', (error) => {
      this.fault = error;
    });
  }

  #hear(ref: string, life: Life): void {
    this.#heard.set(ref, this.world.now);
    const { disk } = this;
    const wasFull = disk.isFull;
    life.after(WRITTEN_WITHIN_MS, () => {
      if (this.disk === disk && this.#heard.has(ref) && !wasFull && !disk.isFull) this.#durable.add(ref);
    });
  }

  /** Set by what must not happen where nobody can throw. */
  fault: unknown;

  local(): { day: number; minute: number; iso: string } {
    const minutes = Math.floor(this.world.now / 60_000) + this.clockOff + 7 * 24 * 60;
    const day = Math.floor(minutes / (24 * 60)) % 7;
    return { day: (day + 7) % 7, minute: ((minutes % 1440) + 1440) % 1440, iso: `minute ${minutes}` };
  }

  /** Throws where an invariant does not hold. */
  look(): void {
    if (this.fault !== undefined) throw this.fault as Error;
    if (!this.isRunning) return;
    for (const [product, { ref, since }] of this.station.serving) {
      const heardAt = this.#heard.get(ref);
      const began = Math.max(heardAt ?? Infinity, since);
      if (this.world.now - began > BACK_WITHIN_MS)
        throw this.#violation(
          `serves ${product} by ${ref} ${this.world.now - began} ms after it heard of its bar`,
        );
    }
  }

  #checkSwitch(ref: string, products: readonly string[]): void {
    if (this.#isBarred(ref)) throw this.#violation(`switches to ${ref}, which has a bar that it heard of`);
    for (const product of products) {
      if (this.wanted(this.#rev)[product] !== ref)
        throw this.#violation(`switches ${product} to ${ref}, which revision ${this.#rev} does not ask for`);
    }
    if (this.station.locks.length > 0 && products.every((product) => this.station.serving.has(product)))
      this.#lockedSwitch(ref);
  }

  /** A lock that came after the agent asked is no fault of the agent: it is a fault when it was there for a while. */
  lockedSince = Infinity;
  #lockedSwitch(ref: string): void {
    if (this.world.now - this.lockedSince > 1_000)
      throw this.#violation(`switches to ${ref} in spite of a lock`);
  }

  #isBarred(ref: string): boolean {
    return this.#heard.has(ref);
  }

  #violation(what: string): Violation {
    const violation = new Violation(`${this.name} ${what}`);
    this.fault ??= violation;
    return violation;
  }
}
