import { keyOf } from '../../../src/fleet/keys.js';
import { readReported } from '../../../src/fleet/state/read.js';
import type { ReportedState } from '../../../src/fleet/state.js';
import { Machine } from './machine.js';
import { GROUP, Operator, PLANT, publicKey } from './operator.js';
import { SimServer } from './server.js';
import { Violation, type Catalogue, type Quality } from './station.js';
import { cutLine, ServerTroubles } from './troubles.js';
import { World } from './world.js';

/** How a run is to be. */
export interface PlantOptions {
  stations: number;
  /** Of virtual time with faults. */
  faultsMs: number;
}

/** Longest time, once nothing fails any more, until every station has converged: the longest backoff, and the work after it. */
const CONVERGED_WITHIN_MS = 12 * 60_000;
/** From the word of a bar until no station serves the version, with a line and a disk that work. */
const SOON_MS = 2_000;
/** How often the stations are looked at. */
const LOOK_MS = 100;
const PRODUCTS = ['A', 'B 板'];
const QUALITIES: Quality[] = ['broken', 'flaky', 'nowhere', 'swapped', 'unsigned'];

/** A plant on virtual time: its stations with real agents, its server, its operator, and what goes wrong. */
export class Plant {
  readonly world: World;
  readonly server: SimServer;
  readonly operator: Operator;
  readonly machines: Machine[];
  readonly #troubled: ServerTroubles;
  readonly #catalogue = new Map<string, { digest: string; quality: Quality }>();
  readonly #options: PlantOptions;

  constructor(seed: number, options: PlantOptions) {
    const world = (this.world = new World(seed));
    this.#options = options;
    this.server = new SimServer(world);
    for (let version = 0; version < 8; version += 1) {
      for (const name of ['board.check', 'lid']) {
        // The first two are what a station was set up with: they work.
        const quality = version > 1 && world.chance(0.35) ? world.pick(QUALITIES) : 'good';
        const digest = version.toString(16).repeat(64);
        this.#catalogue.set(`${name}@1.${version}`, { digest, quality });
      }
    }
    const settings = { plant: PLANT, group: GROUP, publicKeys: [publicKey] };
    const catalogue: Catalogue = this.#catalogue;
    this.machines = Array.from(
      { length: options.stations },
      (_, index) => new Machine(`line ${index}`, world, this.server, catalogue, settings),
    );
    this.#troubled = new ServerTroubles(world, this.server, () => this.machines);
    const names = this.machines.map(({ name }) => name);
    this.operator = new Operator(world, this.server, catalogue, names);
    for (const machine of this.machines) {
      machine.wanted = (rev) => this.operator.asked.get(`${machine.name}/${rev}`) ?? {};
      machine.station.setUp('A', 'board.check@1.0');
      if (world.chance(0.7)) machine.station.setUp('B 板', 'lid@1.0');
      if (world.chance(0.5)) machine.station.setUp('by hand', 'lid@1.0');
    }
    let lookedAt = 0;
    world.check(() => {
      // What an agent does is checked as it does it; what it fails to do shows in time.
      if (world.now - lookedAt < LOOK_MS) return;
      lookedAt = world.now;
      this.#look();
    });
  }

  /** Runs the story of the seed. @throws Error naming the seed, with the end of its story */
  async run(): Promise<void> {
    const { world, machines } = this;
    try {
      for (const machine of machines)
        world.after(world.between(0, 5_000), () => {
          machine.start();
        });
      this.#plan();
      await world.run(this.#options.faultsMs);
      this.#calm();
      const isDone = () => world.steps % (25 * machines.length) === 0 && this.#open().length === 0;
      await world.run(world.now + CONVERGED_WITHIN_MS, isDone);
      const open = this.#open();
      if (open.length > 0) throw new Violation(`not converged: ${open.slice(0, 3).join('; ')}`);
      this.#checkEvents();
      await this.#barAll();
    } catch (error) {
      throw new Error(
        `seed ${world.seed}, ${machines.length} stations: ${(error as Error).message}\n${world.story()}\n` +
          `FLEET_SEED=${world.seed} FLEET_STATIONS=${machines.length} npx vitest run test/fleet/simulator takes the same steps`,
        { cause: error },
      );
    } finally {
      for (const machine of machines) machine.crash();
    }
  }

  /** What happens, and when. */
  #plan(): void {
    const { world, machines } = this;
    const { faultsMs } = this.#options;
    const often = (everyMs: number, act: () => void) => {
      const next = () =>
        world.after(world.between(0.2, 1.8) * everyMs, () => {
          if (world.now >= faultsMs) return;
          act();
          next();
        });
      next();
    };
    const some = () => world.pick(machines);
    const perStation = (seconds: number) => (seconds * 1_000) / machines.length;
    for (const machine of machines) {
      machine.cable.weather = {
        lost: world.random() * 0.2,
        doubled: world.random() * 0.1,
        late: world.random() * 0.1,
      };
      machine.frailty = 0.5;
      machine.station.moodiness = 0.1;
      if (world.chance(0.6)) this.#want(machine);
    }
    often(perStation(150), () => {
      this.#want(some());
    });
    often(60_000, () => {
      const ref = world.pick([...this.#catalogue.keys()]);
      this.operator.bar(ref, this.operator.bars.get(ref)?.lifted === false && world.chance(0.7));
    });
    often(120_000, () => {
      this.operator.window(world.chance(0.5) ? { from: '00:10', to: '00:20' } : undefined);
    });
    often(60_000, () => {
      this.operator.attack();
    });
    often(perStation(200), () => {
      cutLine(this.world, some(), 60_000);
    });
    often(perStation(300), () => {
      some().crash();
    });
    often(perStation(300), () => {
      const machine = some();
      machine.clockOff += Math.round(world.between(-2_000, 2_000));
      world.tell(`${machine.name}: clock off by ${machine.clockOff} min`);
    });
    often(perStation(300), () => {
      const machine = some();
      const { station } = machine;
      station.locks = station.locks.length === 0 ? ['batch 7'] : [];
      machine.lockedSince = world.now;
    });
    often(perStation(400), () => {
      const machine = some();
      machine.hasSources = !machine.hasSources;
    });
    often(perStation(600), () => {
      const machine = some();
      machine.disk.isFull = !machine.disk.isFull;
      world.tell(`${machine.name}: disk ${machine.disk.isFull ? 'full' : 'has room'}`);
    });
    often(perStation(1_200), () => {
      some().replaceDisk();
    });
    often(180_000, () => {
      world.tell('the bucket is wiped');
      this.server.wipe();
    });
    often(150_000, () => {
      this.#troubled.stop(world.chance(0.6), 30_000);
    });
  }

  #want(machine: Machine): void {
    const { world } = this;
    const version = () => Math.floor(world.random() * 8);
    const products: Record<string, string> = {};
    if (world.chance(0.9)) products.A = `board.check@1.${version()}`;
    if (world.chance(0.6)) products[PRODUCTS[1] ?? ''] = `lid@1.${version()}`;
    world.tell(`operator: ${machine.name} is to serve ${JSON.stringify(products)}`);
    this.operator.want(machine.name, products);
  }

  /** Nothing fails any more. */
  #calm(): void {
    const { world, machines } = this;
    world.tell('nothing fails any more');
    this.#troubled.start();
    this.operator.window(undefined);
    for (const machine of machines) {
      machine.calm();
      Object.assign(machine, { hasSources: true, lockedSince: Infinity });
      machine.cable.weather = { lost: 0, doubled: 0, late: 0 };
      machine.station.moodiness = 0;
      machine.station.locks = [];
      machine.disk.isFull = false;
      machine.cable.mend();
      machine.start();
    }
  }

  #look(): void {
    for (const machine of this.machines) machine.look();
  }

  /** Stations that have not converged, and why. */
  #open(): string[] {
    return this.machines.flatMap((machine) => {
      const reason = this.#reasonOpen(machine);
      return reason === undefined ? [] : [`${machine.name}: ${reason}`];
    });
  }

  #reasonOpen({ name, station, disk }: Machine): string | undefined {
    const stored = this.server.get(keyOf('reported', name));
    if (!stored) return 'reports nothing';
    const report = readReported(stored.key, stored.value, { plant: PLANT, station: name });
    const desired = this.operator.desired.get(name);
    if (report.rev !== (desired?.rev ?? 0)) return `works on ${report.rev} of ${desired?.rev ?? 0}`;
    const serving = Object.fromEntries([...station.serving].map(([product, { ref }]) => [product, ref]));
    if (!isSame(report.serving, serving))
      return `serves ${JSON.stringify(serving)}, and reports ${JSON.stringify(report.serving)}`;
    const hopeless: string[] = [];
    for (const [product, ref] of Object.entries(desired?.products ?? {})) {
      if (serving[product] === ref) continue;
      if (this.#isFeasible(station, ref))
        return `serves ${product} by ${serving[product] ?? 'nothing'}, not by ${ref}`;
      hopeless.push(ref);
    }
    if ([...station.serving.values()].some(({ trialEndsAt }) => trialEndsAt !== undefined)) return 'on trial';
    const logged = disk.log.at(-1)?.offset;
    if (logged !== undefined && this.server.lastOffset(name) !== logged)
      return 'has events that are not published';
    return this.#reasonOfState(report, desired === undefined, hopeless);
  }

  #reasonOfState(
    { state, code, reason }: ReportedState,
    isIdle: boolean,
    hopeless: string[],
  ): string | undefined {
    const shown = `${state} (${code ?? ''} ${reason ?? ''})`;
    if (hopeless.length > 0)
      return state === 'failed' && code !== undefined
        ? undefined
        : `reports ${shown} with ${hopeless.join()}`;
    const wanted = isIdle ? 'idle' : 'converged';
    return state === wanted ? undefined : `reports ${shown}, not ${wanted}`;
  }

  #isFeasible({ failedTrials }: Machine['station'], ref: string): boolean {
    const bar = this.operator.bars.get(ref);
    const isBarred = bar !== undefined && bar.lifted !== true;
    const { quality } = this.#catalogue.get(ref) ?? {};
    return !isBarred && !failedTrials.has(ref) && (quality === 'good' || quality === 'flaky');
  }

  /** In a plant without faults, the word of a bar is heard by watch: no station waits for its minute. */
  async #barAll(): Promise<void> {
    const { world, machines, operator } = this;
    for (const ref of new Set(
      machines.flatMap(({ station }) => [...station.serving.values()].map((one) => one.ref)),
    )) {
      operator.bar(ref, false);
      await world.run(world.now + SOON_MS);
      const late = machines.find(({ station }) =>
        [...station.serving.values()].some((one) => one.ref === ref),
      );
      if (late)
        throw new Violation(
          `${late.name} serves ${ref} ${SOON_MS} ms after its bar, with a line that stands`,
        );
    }
  }

  /** Every event that a disk made durable is in the stream: once, in its order. */
  #checkEvents(): void {
    for (const { name, disk } of this.machines) {
      const firstOffset = disk.log[0]?.offset ?? Infinity;
      const events = this.server.stream.filter(({ station }) => station === name);
      const offsets = events.map(({ offset }) => offset);
      if (offsets.some((offset, index) => offset <= (offsets[index - 1] ?? 0)))
        throw new Violation(`${name}: the stream has its events as ${offsets.join()}`);
      // What an earlier disk wrote is before what the present one did.
      const own = disk.isNew ? events.filter(({ offset }) => offset >= firstOffset) : events;
      const stored = own.map(({ offset, body }) => ({ offset, ...(JSON.parse(body) as object) }));
      const logged = disk.log.map(({ offset, event }) => ({ ...(event as object), offset }));
      for (let index = 0; index < Math.max(stored.length, logged.length); index += 1) {
        if (isSame(stored[index], logged[index])) continue;
        throw new Violation(
          `${name}: event ${index + 1} of its log is ${JSON.stringify(logged[index])}, ` +
            `of the stream ${JSON.stringify(stored[index])}`,
        );
      }
    }
  }
}

/** The same JSON, whatever the order of its fields. */
function isSame(a: unknown, b: unknown): boolean {
  return sorted(a) === sorted(b);
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
