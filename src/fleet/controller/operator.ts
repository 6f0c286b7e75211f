import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { keyOf, OFFLINE_KEY } from '../keys.js';
import type { FleetConnection } from '../ports.js';
import { readLease } from '../state/read.js';
import { refOf } from '../state/refs.js';
import type { BarState, DesiredState, GroupState, RolloutState } from '../state.js';
import { admit, type Admission } from './admission.js';
import { Bucket } from './bucket.js';
import { LEASE_KEY } from './lease.js';
import { doors } from './options.js';
import { orderOf, type RolloutRequest } from './order.js';
import { planOf, type NeededBytes, type RolloutPlan } from './plan.js';
import { rebuilt, type Rebuilt } from './rebuild.js';
import { standingOf } from './standing.js';
import { statusOf, type FleetStatus } from './status.js';
import type {
  FleetOperatorOptions,
  GroupOptions,
  OperatorWord,
  RebuildOptions,
  ApprovalWord,
} from './types.js';
import { nextWordRev, stationIn, type FleetView } from './view.js';

const TRIES = 10;

/** What a call of an operator goes by. */
interface Look {
  view: FleetView;
  bucket: Bucket;
}

/**
 * What an operator does with a fleet: each is a signed word in the bucket, by compare-and-set, and the controller that acts goes by it.
 * With public keys alone it can only look.
 */
export class FleetOperator {
  readonly #connection: FleetConnection;
  /** A bucket with a memory of its own, for each look: calls at the same time read one over the other else. */
  readonly #anew: () => Bucket;
  readonly #plant: string;

  constructor(o: FleetOperatorOptions) {
    doors().operator.check(o);
    this.#connection = o.connection;
    this.#plant = o.plant;
    this.#anew = () => new Bucket(o.connection, { ...o, now: () => 0 });
    this.#anew(); // a key that is none is refused at once
  }

  /** The plant at a glance. Which stations cannot be reached is said by the controller that acts. */
  async status(o: OperationOptions = {}): Promise<FleetStatus> {
    doors().look.check(o);
    const { view, bucket } = await this.#look(o);
    const lease = await this.#connection.values.get(LEASE_KEY, o);
    return {
      ...statusOf(view),
      ...(lease && { controller: readLease(LEASE_KEY, lease.value) }),
      faults: bucket.memory.faults(),
    };
  }

  /**
   * Orders a rollout; the controller that acts takes it on.
   *
   * @throws RunnerError `invalid_params` for waves without a station or gates that cannot hold, `not_found` for a group that is not
   * there, `conflict` for a rollout that would overlap another that is under way, `version_barred`
   */
  async rollout(request: RolloutRequest & OperationOptions): Promise<RolloutState> {
    doors().rollout.check(request);
    for (const wave of request.waves) doors().wave.check(wave);
    const order = orderOf(request);
    for (let tries = 0; ; tries++) {
      const { view, bucket } = await this.#look(request);
      const rollout = this.#ordered(request, order, view);
      refuse(rollout, admit(rollout, view));
      try {
        await bucket.write('rollout', rollout, signalOf(request));
        return rollout;
      } catch (error) {
        // Its id was taken at the same time: a given id cannot be another.
        if (!RunnerError.is(error, 'conflict') || request.id !== undefined || tries >= TRIES) throw error;
      }
    }
  }

  /** What {@link FleetOperator.rollout} would do: what would move where, and how many bytes. Nothing is written. */
  async plan(request: RolloutRequest & OperationOptions & { needed?: NeededBytes }): Promise<RolloutPlan> {
    doors().plan.check(request);
    for (const wave of request.waves) doors().wave.check(wave);
    const order = orderOf(request);
    const { view } = await this.#look(request);
    return planOf(this.#ordered(request, order, view), view, request.needed);
  }

  /**
   * Stops a rollout, or without an id all of them: no further station is moved, also of a rollout that is done and waits for stations that
   * cannot be reached. Stations stay where they are.
   */
  async halt(id?: string, o: OperatorWord = {}): Promise<RolloutState[]> {
    doors().word.check(o);
    const { by = 'operator', reason = 'halted' } = o;
    const look = await this.#look(o);
    const { view } = look;
    const open = new Set(view.rollouts.filter((one) => isOpen(one, view)).map(({ rollout }) => rollout));
    const ids = id === undefined ? [...open] : [id];
    const halted: RolloutState[] = [];
    for (const one of ids) {
      halted.push(
        await this.#change(one, look, o, (state) => {
          if (!isUnderWay(state) && !(state.state === 'done' && open.has(one))) throw ended(state, 'halted');
          return { ...state, state: 'halted', reason: `${reason} (${by})` };
        }),
      );
    }
    return halted;
  }

  /** Lets the wave of a rollout pass that waits for approval. */
  async approve(id: string, o: ApprovalWord = {}): Promise<RolloutState> {
    doors().approval.check(o);
    const look = await this.#look(o);
    const known = this.#known(look.view, id);
    const wave = o.wave === undefined ? known.wave : o.wave - 1;
    return this.#change(id, look, o, (state) => {
      if (!isUnderWay(state)) throw ended(state, 'approved');
      // It went on while this was written: nobody has looked at the wave that is under way now.
      if (state.wave !== wave) throw ended({ ...state, state: 'running' }, `approved as of wave ${wave + 1}`);
      const isAsked = state.order.waves[state.wave]?.gates.approval === true;
      if (!isAsked || state.wave >= state.order.waves.length - 1) {
        throw new RunnerError(
          'invalid_params',
          `Wave ${state.wave + 1} of the rollout ${id} does not ask for approval: nothing is to be approved`,
          { details: { path: 'id' } },
        );
      }
      return { ...state, approved: Math.max(state.approved, state.wave) };
    });
  }

  /**
   * The way back for all: bars a version, or that of a rollout. Each station that serves it goes back at once, neither window nor lock
   * waited for; a rollout of it ends.
   */
  async back(
    what: { rollout: string } | { name: string; version: string },
    o: OperatorWord = {},
  ): Promise<BarState> {
    doors().word.check(o);
    const look = await this.#look(o);
    const { name, version } = 'rollout' in what ? this.#known(look.view, what.rollout).order : what;
    return this.#bar({ name, version }, look, o, false);
  }

  /** Takes the bar from a version. Stations may serve it again; nothing moves by it. */
  async lift(what: { name: string; version: string }, o: OperatorWord = {}): Promise<BarState> {
    doors().word.check(o);
    const look = await this.#look(o);
    const ref = refOf(what.name, what.version);
    if (!look.view.bars.has(ref)) {
      throw new RunnerError('not_found', `${ref} is not barred in ${this.#plant}`, { details: { ...what } });
    }
    return this.#bar(what, look, o, true);
  }

  /**
   * Sets a group.
   * @throws RunnerError `invalid_params` for a group without stations, a window that never opens
   */
  async setGroup(given: GroupOptions): Promise<GroupState> {
    doors().setGroup.check(given);
    const { group, stations, window, maxUnavailable, ...o } = given;
    if (stations.length === 0) throw wrong('stations', `the group ${group} must have at least one station`);
    if (window && (window.from === window.to || window.days?.length === 0))
      throw wrong(
        'window',
        `the window of the group ${group} never opens: its ends must differ, and it needs a day`,
      );
    return this.#retry(await this.#look(o), o, async (bucket) => {
      const view = bucket.view(0);
      const state: GroupState = {
        rev: nextWordRev(view, view.groups.get(group)),
        ...{ plant: this.#plant, group, stations: [...new Set(stations)] },
        ...(window && { window }),
        ...(maxUnavailable !== undefined && { max_unavailable: maxUnavailable }),
      };
      await bucket.write('group', state, signalOf(o));
      return state;
    });
  }

  /**
   * Makes a bucket anew that was wiped: desired states and bars of what stations report. Nothing moves by it; a desired state that is
   * there stays.
   */
  async rebuild(o: RebuildOptions = {}): Promise<Rebuilt> {
    doors().rebuild.check(o);
    const { by = 'operator', dryRun = false } = o;
    const { view, bucket } = await this.#look(o);
    const found = rebuilt(view, by);
    if (dryRun) return found;
    for (const bar of found.bars) await bucket.write('bar', bar, signalOf(o));
    const left = [...found.left];
    const written: DesiredState[] = [];
    for (const state of found.desired) {
      const { length } = left;
      const refuse = ({ message }: RunnerError) => left.push({ station: state.station, reason: message });
      await bucket.writeDesired(state, refuse, signalOf(o));
      if (left.length === length) written.push(state);
    }
    return { ...found, desired: written, left };
  }

  /** It goes by what the bucket has now, and writes nothing back. */
  async #look(o: OperationOptions): Promise<Look> {
    const bucket = this.#anew();
    await bucket.list(o.signal);
    const offline = await this.#connection.values.get(OFFLINE_KEY, signalOf(o));
    const away = new Set(namesIn(offline?.value));
    const view = bucket.view(0);
    const stations = [...view.stations].map(([name, station]) => {
      return [name, { ...station, isReachable: station.reported !== undefined && !away.has(name) }] as const;
    });
    return { view: { ...view, stations: new Map(stations) }, bucket };
  }

  #ordered(
    { id, name, version, by = 'operator' }: RolloutRequest,
    order: RolloutState['order'],
    view: FleetView,
  ): RolloutState {
    const ids = new Set(view.rollouts.map(({ rollout }) => rollout));
    if (id !== undefined && ids.has(id)) {
      throw new RunnerError('conflict', `There is a rollout ${id} already: give it another id`, {
        ...{ details: { path: keyOf('rollout', id) }, retryable: false },
      });
    }
    let next = 1;
    while (ids.has(`${name}-${version}-${next}`)) next++;
    return {
      ...{ rev: 1, plant: this.#plant, rollout: id ?? `${name}-${version}-${next}`, term: 0, order },
      ...{ number: 0, state: 'new', stations: [], wave: 0, approved: -1, moving: [] },
      ...{ wave_ms: 0, soaked_ms: 0, by, at: view.at },
    };
  }

  /** Changes a rollout as it is now, also while others write it. */
  async #change(
    id: string,
    look: Look,
    o: OperationOptions,
    change: (state: RolloutState) => RolloutState,
  ): Promise<RolloutState> {
    return this.#retry(look, o, async (bucket) => {
      const before = this.#known(bucket.view(0), id);
      const state = { ...change(before), rev: before.rev + 1 };
      await bucket.write('rollout', state, signalOf(o));
      await bucket.tell(state).catch(() => undefined); // the word itself stands in the bucket
      return state;
    });
  }

  async #bar(
    { name, version }: { name: string; version: string },
    look: Look,
    { by = 'operator', reason = 'taken back', ...o }: OperatorWord,
    isLifted: boolean,
  ): Promise<BarState> {
    const ref = refOf(name, version);
    return this.#retry(look, o, async (bucket) => {
      const view = bucket.view(0);
      const state: BarState = {
        rev: nextWordRev(view, view.bars.get(ref)),
        ...{ plant: this.#plant, name, version, reason, by, at: new Date().toISOString() },
        ...(isLifted && { lifted: true }),
      };
      await bucket.write('bar', state, signalOf(o));
      return state;
    });
  }

  #known(view: FleetView, id: string): RolloutState {
    const found = view.rollouts.find(({ rollout }) => rollout === id);
    if (found) return found;
    const known = view.rollouts.map(({ rollout }) => rollout).join(', ');
    throw new RunnerError(
      'not_found',
      `There is no rollout ${id} in ${this.#plant}. There are: ${known || 'none'}`,
      {
        details: { name: id },
      },
    );
  }

  /** Reads again and tries again while others write the same key. */
  async #retry<T>(look: Look, o: OperationOptions, write: (bucket: Bucket) => Promise<T>): Promise<T> {
    let { bucket } = look;
    for (let tries = 0; ; tries++) {
      try {
        return await write(bucket);
      } catch (error) {
        if (!RunnerError.is(error, 'conflict') || tries >= TRIES) throw error;
        ({ bucket } = await this.#look(o));
      }
    }
  }
}

function isUnderWay({ state }: RolloutState): boolean {
  return state === 'new' || state === 'running';
}

/** Whether it moves stations still: a rollout that is done moves those that return. */
function isOpen(rollout: RolloutState, view: FleetView): boolean {
  if (isUnderWay(rollout)) return true;
  const waits = (station: string) =>
    ['pending', 'queued'].includes(standingOf(rollout, stationIn(view, station)).standing);
  return rollout.state === 'done' && rollout.stations.flat().some(waits);
}

function refuse({ order: { name, version }, rollout }: RolloutState, admitted: Admission): void {
  if (!('refused' in admitted)) return;
  const { refused, code } = admitted;
  const message = `The rollout ${rollout} is not begun: ${refused}`;
  const details = { ...{ path: 'waves', name, version, productIds: [], reason: refused } };
  throw new RunnerError(code, message, { details, retryable: false });
}

function ended({ rollout, state, reason }: RolloutState, what: string): RunnerError {
  const why = reason === undefined ? '' : ` (${reason})`;
  return new RunnerError('invalid_params', `The rollout ${rollout} is ${state}${why}: it cannot be ${what}`, {
    details: { path: 'id' },
  });
}

function wrong(path: string, rule: string): RunnerError {
  return new RunnerError('invalid_params', `The group cannot be set: ${rule}`, { details: { path } });
}

function signalOf({ signal }: OperationOptions): OperationOptions {
  return signal ? { signal } : {};
}

function namesIn(value: unknown): string[] {
  const { stations } = (typeof value === 'object' && value !== null ? value : {}) as { stations?: unknown };
  return Array.isArray(stations) ? stations.filter((name) => typeof name === 'string') : [];
}
