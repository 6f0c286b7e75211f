import { RunnerError } from '../../../../src/errors.js';
import { FleetController } from '../../../../src/fleet/controller/controller.js';
import { FleetOperator } from '../../../../src/fleet/controller/operator.js';
import { rolloutStatus } from '../../../../src/fleet/controller/status.js';
import type { DesiredState, RolloutState, SignedState } from '../../../../src/fleet/state.js';
import { FLEET_KEYS } from '../../../support/fleet-bucket.js';
import { Life } from '../../simulator/life.js';
import { SimCable } from '../../simulator/line.js';
import { Machine } from '../../simulator/machine.js';
import { SimServer } from '../../simulator/server.js';
import { Violation, type Catalogue, type Quality } from '../../simulator/station.js';
import { cutLine, ServerTroubles } from '../../simulator/troubles.js';
import { World } from '../../simulator/world.js';

const PLANT = 'north';
const GROUP = 'all';
const NAME = 'board.check';
/** Longest time, once nothing fails any more, until every rollout has ended and every station has come to rest. */
const AT_REST_WITHIN_MS = 30 * 60_000;
const MOST_CALLS = 200;
const DEADLINE_MS = 120_000;
const FAULTS_MS = 6 * 60_000;

/** How bad the server is, beside lines and processes. */
export interface Troubles {
  /** It loses what it has acknowledged. */
  losesWrites: boolean;
  /** Its bucket is deleted. */
  isWiped: boolean;
}

/** A process with a controller; it dies in the middle of its calls, and is started again. */
class ControllerMachine {
  readonly name: string;
  readonly cable: SimCable;
  readonly #world: World;
  #life: Life | undefined;
  controller: FleetController | undefined;
  frailty = 0.7;

  constructor(name: string, world: World, server: SimServer) {
    this.name = name;
    this.#world = world;
    this.cable = new SimCable(world, server);
  }

  /** Whether its process runs and takes itself for the one controller. */
  get isActing(): boolean {
    return this.#life?.isAlive === true && this.controller?.isActive === true;
  }

  start(): void {
    const world = this.#world;
    if (this.#life?.isAlive === true) return;
    const dies = world.chance(this.frailty);
    const life = new Life(world, {
      ...(dies && { diesAt: 1 + Math.floor(world.random() * MOST_CALLS) }),
      onDeath: () => {
        world.tell(`${this.name} died`);
        world.after(world.between(500, 20_000), () => {
          this.start();
        });
      },
    });
    this.#life = life;
    world.tell(`${this.name} starts`);
    // What it has under way when it dies never ends: its promises are left to the garbage collector.
    this.controller = new FleetController({
      ...{ connection: this.cable.connect(life), plant: PLANT, privateKey: FLEET_KEYS.privateKey },
      holder: `${this.name} ${world.now}`,
      clock: {
        now: () => world.now,
        random: () => world.random(),
        after: (delayMs, run) => life.after(delayMs, run),
      },
    });
    this.controller.on('active', ({ term }) => {
      world.tell(`${this.name} acts, term ${term}`);
    });
    this.controller.on('rollout', ({ rollout, state, wave, moving, reason }) => {
      world.tell(`${this.name}: ${rollout} ${state}, wave ${wave}, moves ${moving.join()} ${reason ?? ''}`);
    });
    this.controller.on('error', ({ error }) => {
      if (error.code === 'internal') this.fault = error;
    });
    this.controller.start();
  }

  fault: unknown;

  crash(): void {
    this.#life?.end();
  }

  calm(): void {
    this.frailty = 0;
    this.#life?.spare();
    this.cable.weather = { lost: 0, doubled: 0, late: 0 };
    this.cable.mend();
    this.start();
  }
}

/** A plant on virtual time with real agents and real controllers. */
export class ControlledPlant {
  readonly world: World;
  readonly server: WatchedServer;
  readonly machines: Machine[];
  readonly controllers: ControllerMachine[];
  readonly #operator: FleetOperator;
  readonly #troubles: Troubles;
  readonly #troubled: ServerTroubles;
  readonly #catalogue = new Map<string, { digest: string; quality: Quality }>();
  /** Rollouts that have ended, with the stations that were announced then. */
  readonly #ended = new Map<string, ReadonlySet<string>>();
  readonly #moved = new Set<string>();
  /** What each revision asked for, by `<station>/<rev>`. */
  readonly #asked = new Map<string, Record<string, string>>();
  #fault: unknown;
  #last: RolloutState | undefined;

  constructor(seed: number, o: { stations: number; troubles: Troubles }) {
    const world = (this.world = new World(seed));
    this.#troubles = o.troubles;
    const server = (this.server = new WatchedServer(world));
    server.onWrite = (key, value) => {
      this.#wrote(key, value);
    };
    for (let version = 0; version < 6; version++) {
      const bad = world.pick<Quality>(['broken', 'flaky', 'nowhere']);
      const quality = version > 0 && world.chance(0.35) ? bad : 'good';
      this.#catalogue.set(`${NAME}@1.${version}`, { digest: version.toString(16).repeat(64), quality });
    }
    const settings = { plant: PLANT, group: GROUP, publicKeys: [FLEET_KEYS.publicKey] };
    const catalogue: Catalogue = this.#catalogue;
    this.machines = Array.from({ length: o.stations }, (_, index) => {
      const machine = new Machine(`line ${index}`, world, this.server, catalogue, settings);
      machine.wanted = (rev) => this.#asked.get(`${machine.name}/${rev}`) ?? {};
      machine.station.setUp('A', `${NAME}@1.0`);
      return machine;
    });
    this.controllers = ['c1', 'c2', 'c3'].map((name) => new ControllerMachine(name, world, this.server));
    this.#troubled = new ServerTroubles(world, server, () => [...this.machines, ...this.controllers]);
    const life = new Life(world, { onDeath: () => undefined });
    this.#operator = new FleetOperator({
      ...{ connection: new SimCable(world, this.server).connect(life), plant: PLANT },
      privateKey: FLEET_KEYS.privateKey,
    });
    world.check(() => {
      this.#look();
    });
  }

  /** Runs the story of the seed. @throws Error naming the seed, with the end of its story */
  async run(): Promise<void> {
    const { world, machines, controllers } = this;
    try {
      for (const one of [...machines, ...controllers]) {
        world.after(world.between(0, 5_000), () => {
          one.start();
        });
      }
      this.#plan();
      await world.run(FAULTS_MS);
      this.#calm();
      this.#orderLast();
      const isDone = () => world.steps % 50 === 0 && this.#open() === undefined;
      await world.run(world.now + AT_REST_WITHIN_MS, isDone);
      const open = this.#open();
      if (open !== undefined) throw new Violation(`not at rest: ${open}`);
    } catch (error) {
      throw new Error(
        `seed ${world.seed}, ${machines.length} stations: ${(error as Error).message}\n${world.story(80)}\n` +
          `FLEET_SEED=${world.seed} npx vitest run test/fleet/controller/simulated takes the same steps`,
        { cause: error },
      );
    } finally {
      for (const one of [...machines, ...controllers]) one.crash();
    }
  }

  /** What happens, and when. */
  #plan(): void {
    const { world, machines, controllers } = this;
    const often = (everyMs: number, act: () => void) => {
      const next = () =>
        world.after(world.between(0.2, 1.8) * everyMs, () => {
          if (world.now >= FAULTS_MS) return;
          act();
          next();
        });
      next();
    };
    for (const { cable } of [...machines, ...controllers]) {
      const share = world.random();
      cable.weather = { lost: share * 0.2, doubled: share * 0.1, late: share * 0.1 };
    }
    for (const machine of machines) machine.frailty = 0.3;
    const most = world.pick([1, 2, '50%', undefined]);
    this.#ask('group', () =>
      this.#operator.setGroup({
        group: GROUP,
        stations: this.#names(),
        ...(most !== undefined && { maxUnavailable: most }),
      }),
    );
    often(50_000, () => {
      this.#rollOut();
    });
    often(90_000, () => {
      this.#ask('halt', () => this.#operator.halt());
    });
    often(200_000, () => {
      const version = `1.${1 + Math.floor(world.random() * 5)}`;
      this.#ask(`back ${version}`, () => this.#operator.back({ name: NAME, version }));
    });
    often(20_000, () => {
      cutLine(this.world, world.pick([...machines, ...controllers]), 40_000);
    });
    often(40_000, () => {
      world.pick([...machines, ...controllers]).crash();
    });
    often(120_000, () => {
      this.#troubled.stop(this.#troubles.losesWrites && this.world.chance(0.6), 20_000);
    });
    if (this.#troubles.isWiped) {
      often(100_000, () => {
        world.tell('the bucket is wiped');
        this.server.wipe();
      });
    }
  }

  #rollOut(): void {
    const { world } = this;
    const minor = 1 + Math.floor(world.random() * 5);
    const names = this.#names();
    const first = 1 + Math.floor(world.random() * (names.length - 1));
    const waves = world.chance(0.5)
      ? [{ stations: names.slice(0, first) }, { stations: names.slice(first) }]
      : [{ group: GROUP, share: 0.4 }, { group: GROUP }];
    this.#ask(`rollout 1.${minor}`, () =>
      this.#operator.rollout({
        ...{ name: NAME, version: `1.${minor}`, digest: `${minor}`.repeat(64), waves },
        gates: {
          acceptedShare: world.pick([0.5, 1]),
          deadlineMs: DEADLINE_MS,
          soakMs: world.pick([0, 5_000]),
        },
        onFailure: world.pick(['back', 'halt']),
      }),
    );
  }

  /** An operator asks for something; it may be refused, and the line may be down. */
  #ask(what: string, ask: () => Promise<unknown>): void {
    this.world.tell(`operator: ${what}`);
    ask().catch((error: unknown) => {
      this.world.tell(`operator: ${what}: ${String(error).slice(0, 120)}`);
      if (!RunnerError.is(error) || error.code === 'internal') this.#fault = error;
    });
  }

  /** Nothing fails any more. */
  #calm(): void {
    this.world.tell('nothing fails any more');
    this.#troubled.start();
    for (const machine of this.machines) {
      machine.calm();
      machine.cable.weather = { lost: 0, doubled: 0, late: 0 };
      machine.cable.mend();
      machine.start();
    }
    for (const controller of this.controllers) controller.calm();
  }

  /** A last rollout of what is good, over all that the faults have left. It is ordered again while others are under way. */
  #orderLast(): void {
    const { world } = this;
    if (this.#last?.state !== 'new' && this.#last?.state !== 'running') {
      const last = { name: NAME, version: '1.0', digest: '0'.repeat(64), onFailure: 'halt' as const };
      const waves = [{ stations: this.#names() }];
      this.#ask('last rollout', async () => {
        this.#last = await this.#operator.rollout({ ...last, waves, gates: { acceptedShare: 0.01 } });
      });
    }
    world.after(60_000, () => {
      if (this.#last === undefined || this.#last.state === 'refused') this.#orderLast();
    });
  }

  #names(): string[] {
    return this.machines.map(({ name }) => name);
  }

  /** Why the plant is not at rest: no controller acts, a rollout goes on, a station does not serve what is desired. */
  #open(): string | undefined {
    const acting = this.controllers.find(({ isActing }) => isActing)?.controller;
    if (!acting) return 'no controller acts';
    const view = acting.view();
    const last = view.rollouts.find(({ rollout }) => rollout === this.#last?.rollout);
    if (!last) return 'the last rollout is not there';
    this.#last = last;
    for (const rollout of view.rollouts) {
      if (rollout.state === 'new' || rollout.state === 'running')
        return `${rollout.rollout} is ${rollout.state}`;
      const { stations } = rolloutStatus(rollout, view);
      const open = stations.find(({ standing }) => ['pending', 'queued', 'moving'].includes(standing));
      if (rollout.state === 'done' && open) return `${rollout.rollout}: ${open.station} is ${open.standing}`;
    }
    if (last.state !== 'done') return `the last rollout is ${last.state}: ${last.reason ?? ''}`;
    const odd = this.machines.find(({ station }) => station.serving.get('A')?.ref !== `${NAME}@1.0`);
    return odd && `${odd.name} serves A by ${odd.station.serving.get('A')?.ref ?? 'nothing'}`;
  }

  /** What must hold after each step. */
  #look(): void {
    for (const machine of this.machines) machine.look();
    const fault = this.#fault ?? this.controllers.find((one) => one.fault !== undefined)?.fault;
    if (fault !== undefined) throw fault as Error;
    // A server that lost the lease itself gives it out again; no write of the two meets, by compare-and-set.
    if (this.#troubles.losesWrites || this.#troubles.isWiped) return;
    const acting = this.controllers.filter(({ isActing }) => isActing).map(({ name }) => name);
    if (acting.length > 1) throw new Violation(`${acting.join(' and ')} act at once`);
  }

  /** Follows what is written: a rollout that has ended moves no station that was not announced before. */
  #wrote(key: string, value: unknown): void {
    const body = (value as Partial<SignedState>).body;
    if (body === undefined) return;
    if (key.startsWith('rollout.')) {
      const { rollout, state, moving } = JSON.parse(body) as RolloutState;
      if (['halted', 'back', 'refused'].includes(state) && !this.#ended.has(rollout))
        this.#ended.set(rollout, new Set(moving));
    }
    if (!key.startsWith('desired.')) return;
    const { station, rev, products, made } = JSON.parse(body) as DesiredState;
    this.#asked.set(`${station}/${rev}`, products);
    for (const { rollout, how } of Object.values(made?.by ?? {})) {
      const move = `${rollout}/${station}`;
      if (how !== 'moved' || this.#moved.has(move)) continue;
      this.#moved.add(move);
      const announced = this.#ended.get(rollout);
      if (announced && !announced.has(station) && !this.#troubles.losesWrites && !this.#troubles.isWiped)
        this.#fault = new Violation(`${station} was moved by ${rollout} after its end`);
    }
  }
}

/** A server that says what is written to it. */
class WatchedServer extends SimServer {
  onWrite: (key: string, value: unknown) => void = () => undefined;

  override put(key: string, value: unknown, o: { revision?: number; ttlMs?: number } = {}): number {
    const revision = super.put(key, value, o);
    this.onWrite(key, value);
    return revision;
  }
}
