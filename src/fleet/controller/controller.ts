import os from 'node:os';
import { SafeEmitter } from '../../emitter.js';
import { asFailure, RunnerError } from '../../errors.js';
import { systemClock, type Clock } from '../../supervisor/clock.js';
import { nodeCrypto } from '../../node-crypto.js';
import type { RolloutState } from '../state.js';
import { Bucket } from './bucket.js';
import { decide, type Step } from './decide.js';
import { waveReport } from './gates.js';
import { Lease, LEASE_KEY } from './lease.js';
import { OFFLINE_AFTER_MS } from './memory.js';
import { doors } from './options.js';
import { WaveClock } from './times.js';
import type { FleetControllerOptions } from './types.js';
import type { FleetView } from './view.js';
import { Watches } from './watches.js';

/** Events of a {@link FleetController}. */
export interface FleetControllerEvents {
  /** It acts now. */
  active: [{ term: number }];
  /** It acts no more: another does, or there is no line. */
  standby: [];
  /** It wrote a rollout: a wave began, it is done, it failed. */
  rollout: [state: RolloutState];
  /** Something failed; it goes on, and tries again. */
  error: [{ error: RunnerError }];
}

/** All is read again so often: a watch may lose words. */
const LIST_EVERY_MS = 30_000;
/** How long words are gathered before they are looked at: while a rollout is under way, and else. */
const GATHER_MS = { running: 50, idle: 1_000 } as const;
/** A wave is looked at so often: times pass without a word. */
const LOOK_EVERY_MS = 1_000;
const RETRY_MS = 500;
/** Desired states that are written at a time. */
const WRITES_AT_A_TIME = 16;

/**
 * Takes versions from station to station. Any number of controllers run, and one of them acts: by a lease, and by compare-and-set of
 * each write. It keeps nothing: what it goes on from is in the bucket, so that another one ends in the same way.
 */
export class FleetController extends SafeEmitter<FleetControllerEvents> implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #bucket: Bucket;
  readonly #lease: Lease;
  readonly #leaseMs: number;
  readonly #watches: Watches;
  readonly #times = new WaveClock();
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;
  #isActive = false;
  #mustList = true;
  #mustLook = true;
  #listedAt = 0;
  #leaseAt = 0;
  #wake: { at: number; cancel?: () => void; run: () => void } | undefined;
  #startedAt = 0;
  #offline = '';

  constructor(o: FleetControllerOptions) {
    super();
    doors().controller.check(o);
    const { connection, plant, clock = systemClock, leaseMs = 3_000 } = o;
    const { holder = `${os.hostname()}-${nodeCrypto().randomUUID()}` } = o;
    this.#clock = clock;
    this.#bucket = new Bucket(connection, { ...o, plant, now: () => clock.now() });
    this.#leaseMs = leaseMs;
    this.#lease = new Lease(connection.values, { holder, leaseMs, clock });
    this.#watches = new Watches(connection, {
      clock,
      onWord: (key, stored) => {
        this.#heard(
          key,
          stored === undefined || this.#bucket.memory.take(stored, clock.now()),
          stored === undefined,
        );
      },
      onGap: (isLine) => {
        if (isLine) {
          this.#lease.doubt();
          this.#leaseAt = 0;
        }
        this.#mustList = true;
        this.#hurry(0);
      },
    });
  }

  /** Whether this controller acts. */
  get isActive(): boolean {
    return this.#lease.term !== undefined;
  }

  /** What it knows now, from what it has read and heard. */
  view(): FleetView {
    return this.#bucket.view(this.#lease.term ?? 0);
  }

  /** Begins; returns at once. A second call changes nothing. */
  start(): this {
    if (this.#closing.signal.aborted)
      throw new RunnerError('closed', 'The controller was closed: make a new one');
    if (this.#loop) return this;
    this.#startedAt = this.#clock.now();
    this.#watches.open();
    this.#loop = this.#run();
    return this;
  }

  /** Ends: what is being written is written, and the lease is given back. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#watches.close();
    this.#wake?.cancel?.();
    this.#wake?.run();
    await this.#loop;
    await this.#lease.release().catch(() => undefined); // without a line it runs out by itself
    this.#note();
  }

  /** See {@link FleetController.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosing()) {
      let waitMs: number;
      try {
        waitMs = await this.#turn();
      } catch (error) {
        this.#mustList = true;
        if (!this.#isClosing()) this.emit('error', { error: asFailure(error, 'work on the fleet') });
        waitMs = RETRY_MS;
      }
      this.#note();
      await this.#sleep(waitMs);
    }
  }

  /** One look. @returns how long to wait for the next */
  async #turn(): Promise<number> {
    await this.#keepLease();
    const now = this.#clock.now();
    if (this.#mustList || now - this.#listedAt >= LIST_EVERY_MS) await this.#list();
    if (this.isActive && this.#mustLook) await this.#work();
    if (this.isActive) await this.#tellOffline();
    if (this.#mustList) return 0;
    if (this.isActive && this.#isUnderWay()) {
      this.#mustLook = true;
      return Math.min(LOOK_EVERY_MS, this.#untilLease());
    }
    return this.#untilLease();
  }

  async #list(): Promise<void> {
    this.#mustList = false;
    this.#mustLook = true;
    await this.#bucket.list(this.#closing.signal);
    this.#listedAt = this.#clock.now();
  }

  /** Renews the lease when it is due, or looks whether it is free. */
  async #keepLease(): Promise<void> {
    const now = this.#clock.now();
    if (now < this.#leaseAt) return;
    this.#leaseAt = now + this.#leaseMs / 4;
    const { term } = this.#lease;
    await this.#lease.hold(this.#bucket.memory.term);
    if (this.#lease.term !== term) {
      // What was written since the last look is not known yet.
      this.#times.forget();
      this.#mustList = true;
      this.#offline = ''; // another may have written it, or the server has lost it
    }
    this.#note();
  }

  /** Writes what is to be written, until nothing is. */
  async #work(): Promise<void> {
    this.#mustLook = false;
    for (;;) {
      const view = this.view();
      if (this.#bucket.memory.term > view.term) {
        this.#lease.drop();
        return;
      }
      if (await this.#restore()) continue;
      const now = this.#clock.now();
      for (const rollout of view.rollouts.filter(({ state }) => state === 'running')) {
        const report = waveReport(rollout, view, this.#times.timesOf(rollout));
        this.#times.advance(rollout, now, report.isStanding);
      }
      const steps = decide(view, (rollout) => this.#times.timesOf(rollout));
      if (steps.length === 0 || !(await this.#write(steps))) return;
    }
  }

  /** Writes back what the server has lost. @returns whether there was anything */
  async #restore(): Promise<boolean> {
    const lost = this.#bucket.memory.lost();
    for (const state of lost) {
      if (!(await this.#mayWrite())) return false;
      await this.#bucket.restore(state);
    }
    return lost.length > 0;
  }

  /** @returns whether to look on at once; not after a write that came too late */
  async #write(steps: readonly Step[]): Promise<boolean> {
    // As they are known while this is decided: a word that comes during the writes, such as a stop, was not decided by.
    const decided = steps.map((step) => ({
      step,
      revision: this.#bucket.revisionOf(step.kind, step.state),
    }));
    for (let index = 0; index < steps.length; index += WRITES_AT_A_TIME) {
      if (!(await this.#mayWrite())) return false;
      const some = decided.slice(index, index + WRITES_AT_A_TIME);
      const results = await Promise.allSettled(
        some.map(({ step, revision }) => this.#writeOne(step, { revision })),
      );
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) {
        // Another has written first, or it is not known whether this was written: look again before anything else.
        this.#mustList = true;
        if (!RunnerError.is(failed.reason, 'conflict')) throw failed.reason;
        this.#hurry(0);
        return false;
      }
    }
    return true;
  }

  async #writeOne(step: Step, o: { revision: number }): Promise<void> {
    if (step.kind === 'desired') {
      await this.#bucket.writeDesired(step.state, (error) => this.emit('error', { error }), o);
      return;
    }
    if (step.kind === 'bar') {
      await this.#bucket.write('bar', step.state, o);
      return;
    }
    const { order, moving, state } = step.state;
    const isMoving = moving.length > 0 && (state === 'running' || state === 'done');
    if (isMoving && (await this.#bucket.isBarred(order))) return; // the next look takes it back
    await this.#bucket.write('rollout', step.state, o);
    this.emit('rollout', step.state);
    await this.#bucket.tell(step.state).catch((error: unknown) => {
      this.emit('error', { error: asFailure(error, 'publish an event of the rollout') });
    });
  }

  /** Writes down, for people, which stations cannot be reached, once it has listened for long enough to know. */
  async #tellOffline(): Promise<void> {
    if (this.#clock.now() - this.#startedAt < OFFLINE_AFTER_MS) return;
    const offline = this.#bucket.memory.offline(this.#clock.now());
    const text = JSON.stringify(offline);
    if (text === this.#offline) return;
    await this.#bucket.tellOffline(offline);
    this.#offline = text;
  }

  /** Whether this controller still holds its lease; it is renewed where that is due. */
  async #mayWrite(): Promise<boolean> {
    if (this.#isClosing()) return false;
    await this.#keepLease();
    return this.isActive && !this.#mustList;
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  #isUnderWay(): boolean {
    return this.view().rollouts.some(({ state }) => state === 'running' || state === 'new');
  }

  #untilLease(): number {
    return Math.max(0, this.#leaseAt - this.#clock.now());
  }

  #heard(key: string, isNews: boolean, isGone: boolean): void {
    if (key === LEASE_KEY) {
      if (!isGone || this.isActive) return;
      this.#leaseAt = 0; // given back; that it ran out, the next look says
      this.#hurry(0);
      return;
    }
    if (isGone) this.#mustList = true;
    if (!isNews) return;
    this.#mustLook = true;
    if (this.isActive) this.#hurry(this.#isUnderWay() ? GATHER_MS.running : GATHER_MS.idle);
  }

  /** Tells of a change between acting and standing by. */
  #note(): void {
    if (this.#isActive === this.isActive) return;
    this.#isActive = this.isActive;
    const { term } = this.#lease;
    if (term === undefined) this.emit('standby');
    else this.emit('active', { term });
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isClosing()) return;
    await new Promise<void>((resolve) => {
      this.#wake = { at: Infinity, run: resolve };
      this.#hurry(ms);
    });
    this.#wake = undefined;
  }

  /** Lets the wait end so soon, if it would be later. */
  #hurry(ms: number): void {
    const wake = this.#wake;
    const at = this.#clock.now() + ms;
    if (!wake || wake.at <= at) return;
    wake.cancel?.();
    wake.at = at;
    wake.cancel = this.#clock.after(ms, wake.run);
  }
}
