import { asFailure, RunnerError } from '../../errors.js';
import { SafeEmitter } from '../../emitter.js';
import { doors } from './options.js';
import { trustedKeys } from '../state/signing.js';
import { REPORT_EVERY_MS, type ReportedState } from '../state.js';
import { agentClock } from './clock.js';
import type { FleetAgentEvents, FleetFact } from './events.js';
import { Faults } from './faults.js';
import { Guard } from './guard.js';
import { Journal } from './journal.js';
import { WorkLane } from './lane.js';
import { Memory } from './memory.js';
import type { AgentParts } from './parts.js';
import { Reporter, standingOf } from './report.js';
import type { FleetAgentOptions } from './types.js';
import { libraryVersion } from './version.js';
import { Words } from './words.js';
import { Work } from './work.js';

/** Least time between two looks at what failed on its way to the server. */
const LINE_RETRY_MS = 2_000;
/** What the fleet wants can wait; the way back from a version with a bar cannot. */
const WORK_BACKOFF = { firstMs: 2_000, mostMs: 300_000 };
const BACK_BACKOFF = { firstMs: 500, mostMs: 5_000 };

/**
 * Keeps one station at what the fleet wants. It compares what is desired with what is deployed and served when the line stands again, at a word of a
 * watch, and every minute: no word has to arrive. Without a line the station serves on, and goes on with what was accepted last.
 */
export class FleetAgent extends SafeEmitter<FleetAgentEvents> implements AsyncDisposable {
  readonly #parts: AgentParts;
  readonly #abort: AbortController;
  readonly #journal: Journal;
  readonly #words: Words;
  readonly #guard: Guard;
  readonly #work: Work;
  readonly #reporter: Reporter;
  readonly #faults: { guard: Faults; work: Faults };
  readonly #lanes: Record<'hear' | 'guard' | 'work' | 'tell', WorkLane>;
  readonly #timers = new Map<string, () => void>();
  readonly #ends: (() => void)[] = [];
  readonly #onClose: (() => Promise<void>) | undefined;
  #report: ReportedState | undefined;
  #told: string | undefined;
  #closed: Promise<void> | undefined;

  /**
   * Reads what the agent remembers, and begins: what has a bar is taken back before the line stands.
   *
   * @throws RunnerError `invalid_params`, and what reading the disk fails with
   */
  static async start(o: FleetAgentOptions): Promise<FleetAgent> {
    doors().agent.check(o);
    const keys = trustedKeys(o.publicKeys);
    const agent = new FleetAgent(o, keys, await Memory.open(o.disk));
    agent.#begin();
    return agent;
  }

  private constructor(o: FleetAgentOptions, keys: AgentParts['keys'], memory: Memory) {
    super();
    const abort = (this.#abort = new AbortController());
    const clock = o.clock ?? agentClock;
    this.#onClose = o.onClose;
    this.#journal = new Journal(o.station, o.disk, memory);
    this.#parts = {
      ...{ plant: o.plant, name: o.station, group: o.group, window: o.window, keys, clock, memory },
      ...{ connection: o.connection, bytes: o.bytes, station: o.target, signal: abort.signal },
      note: (fact) => {
        this.#note(fact);
      },
      failed: (error) => {
        this.emit('failure', error);
      },
    };
    this.#faults = { guard: new Faults(clock, BACK_BACKOFF), work: new Faults(clock, WORK_BACKOFF) };
    this.#guard = new Guard(this.#parts, this.#faults.guard);
    this.#work = new Work(this.#parts, this.#faults.work, () => {
      this.#lanes.tell.wake();
    });
    this.#reporter = new Reporter(this.#parts, o.library ?? libraryVersion());
    this.#words = new Words(this.#parts, {
      onDesired: () => {
        this.#faults.work.retryNow();
        this.#work.reconsider();
        this.#lanes.work.wake();
      },
      onBar: () => {
        this.#work.reconsider();
        this.#lanes.guard.wake();
        this.#lanes.work.wake();
      },
      onShown: () => {
        this.#lanes.tell.wake();
      },
    });
    this.#lanes = {
      hear: this.#lane('hear', 'read the words of the fleet', () => this.#words.read(this.#versions())),
      guard: this.#lane('guard', 'take back versions with a bar', () => this.#runGuard()),
      work: this.#lane('work', 'bring the station to what is desired', () => this.#runWork()),
      tell: this.#lane('tell', 'report', () => this.#tell()),
    };
  }

  /** The report that was stored last; undefined before the first. */
  get report(): ReportedState | undefined {
    return this.#report;
  }

  /** Ends the agent: what it began is ended by its signal, and what serves serves on. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  /** See {@link FleetAgent.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#abort.abort(new RunnerError('closed', 'The agent of the fleet was closed'));
    for (const end of this.#ends) end();
    this.#words.close();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await Promise.all(Object.values(this.#lanes).map((lane) => lane.close()));
    await this.#parts.memory.flush().catch(() => undefined);
    await this.#onClose?.();
  }

  #begin(): void {
    const { connection, station } = this.#parts;
    this.#ends.push(
      connection.onConnect(() => {
        this.#connected();
      }),
      station.onChange(() => {
        for (const lane of ['guard', 'work', 'tell'] as const) this.#lanes[lane].wake();
      }),
    );
    this.#lanes.guard.wake();
    this.#lanes.work.wake();
    this.#connected();
    this.#every();
  }

  /** The line stands, perhaps to a server that is new, restored or emptied: nothing that was read before counts. */
  #connected(): void {
    this.#journal.forgetCursor();
    this.#reporter.renew();
    this.#words.watch();
    this.#faults.work.retryNow();
    for (const lane of Object.values(this.#lanes)) lane.wake();
  }

  /** Every minute, and not all stations at once. */
  #every(): void {
    const share = 0.8 + this.#parts.clock.random() * 0.2;
    this.#later('minute', REPORT_EVERY_MS * share, () => {
      for (const lane of Object.values(this.#lanes)) lane.wake();
      this.#every();
    });
  }

  /** Versions that a bar would concern: those that are wanted, and those that serve. */
  #versions(): Set<string> {
    const { memory } = this.#parts;
    return new Set([
      ...Object.keys(memory.desired?.state.packages ?? {}),
      ...memory.record.installed,
      ...Object.values(this.#report?.serving ?? {}),
    ]);
  }

  async #runGuard(): Promise<void> {
    await this.#guard.run();
    this.#retry('guard', this.#faults.guard.nextMs);
    this.#lanes.tell.wake();
  }

  async #runWork(): Promise<void> {
    try {
      await this.#work.run();
    } finally {
      // A switch that was on its way when its bar came may have been made all the same.
      this.#lanes.guard.wake();
    }
    this.#retry('work', this.#faults.work.nextMs);
  }

  async #tell(): Promise<void> {
    const { connection, signal } = this.#parts;
    if (!this.#work.standing) return; // it has not looked yet
    const standing = standingOf(this.#work.standing, {
      ...{ refusal: this.#words.refusal, isGone: this.#words.isGone },
      ...{ guard: this.#faults.guard.first, left: this.#guard.left },
    });
    const { progress: _progress, rev, ...shown } = standing;
    const told = JSON.stringify([rev, shown]);
    if (told !== this.#told) this.#note({ kind: 'state', rev, ...shown });
    this.#told = told;
    const report = await this.#reporter.tell(standing);
    if (report) this.emit('reported', (this.#report = report));
    await this.#journal.publish(connection.events, signal);
  }

  #note(fact: FleetFact): void {
    const event = { at: this.#parts.clock.local().iso, ...fact };
    this.emit('event', event);
    this.#journal.note(event).then(
      () => {
        this.#lanes.tell.wake();
      },
      (error: unknown) => {
        this.#parts.failed(asFailure(error, 'write down an event of the fleet'));
      },
    );
  }

  #lane(name: 'hear' | 'guard' | 'work' | 'tell', doing: string, work: () => Promise<void>): WorkLane {
    return new WorkLane(work, (error) => {
      if (this.#abort.signal.aborted) return;
      this.#parts.failed(asFailure(error, doing));
      this.#retry(name, LINE_RETRY_MS * (0.75 + this.#parts.clock.random() / 2));
    });
  }

  #retry(lane: 'hear' | 'guard' | 'work' | 'tell', delayMs: number | undefined): void {
    if (delayMs === undefined) return;
    this.#later(lane, delayMs, () => {
      this.#lanes[lane].wake();
    });
  }

  /** Runs something later, in place of what was to be run under the name before. */
  #later(name: string, delayMs: number, run: () => void): void {
    this.#timers.get(name)?.();
    if (this.#abort.signal.aborted) return;
    const cancel = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(name);
      run();
    });
    this.#timers.set(name, cancel);
  }
}
