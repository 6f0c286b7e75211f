import { RunnerError } from '../../errors.js';
import type { DeployedPackage, ServedVersion, WantedPackage } from '../ports.js';
import { partsOf } from '../state/refs.js';
import type { DesiredState, StationState } from '../state.js';
import type { Faults } from './faults.js';
import type { AgentParts } from './parts.js';
import { isOpen } from './window.js';

/** What the station is about, for the report. */
export interface Standing {
  /** Of the desired state that it is about; 0 where there is none. */
  rev: number;
  state: StationState;
  reason?: string;
  code?: string;
  progress?: number;
}

/** One step that is being taken, and what it is for. */
interface Step {
  ref: string;
  abort: AbortController;
  isWanted: (desired: DesiredState) => boolean;
}

/** Versions (`name@version`) by what serves, or is deployed. */
type Deployed = ReadonlyMap<string, DeployedPackage>;
type Serving = Readonly<Record<string, ServedVersion>>;

/** Brings the station to what is desired. It compares each time it runs: nothing depends on what it did before. */
export class Work {
  readonly #parts: AgentParts;
  readonly #faults: Faults;
  readonly #show: () => void;
  /** Undefined until it has looked once. */
  standing: Standing | undefined;
  #step: Step | undefined;
  /** Of the desired state that is looked at: a newer one may be accepted while the work goes on. */
  #rev = 0;

  constructor(parts: AgentParts, faults: Faults, show: () => void) {
    this.#parts = parts;
    this.#faults = faults;
    this.#show = show;
  }

  /** Ends the step that is being taken, where it is for a version that has a bar now or for what is not wanted any more. */
  reconsider(): void {
    const { memory } = this.#parts;
    if (!this.#step) return;
    const { ref, abort, isWanted } = this.#step;
    const desired = memory.desired?.state;
    if (memory.barOn(ref) || !desired || !isWanted(desired))
      abort.abort(new Error('something else is wanted'));
  }

  async run(): Promise<void> {
    const { station, memory, signal } = this.#parts;
    const desired = memory.desired?.state;
    this.#rev = desired?.rev ?? 0;
    if (!desired) {
      this.#stand({ state: 'idle' });
      return;
    }
    const todo = new Set<string>();
    await this.#bring(desired, await this.#deployed(), todo);
    const reason = await this.#switch(desired, todo);
    this.#faults.keepOnly(todo);
    const serving = await station.serving({ signal });
    const { first } = this.#faults;
    const isOnTrial = Object.entries(desired.products).some(
      ([product, ref]) => servedRef(serving, product) === ref && serving[product]?.isOnTrial === true,
    );
    if (first) this.#stand({ state: 'failed', reason: first.message, code: first.code });
    else if (reason !== undefined) this.#stand({ state: 'waiting', reason });
    else this.#stand({ state: isOnTrial ? 'on_trial' : 'converged' });
    if (this.standing?.state === 'converged') await this.#tidy(desired, serving);
  }

  /** Fetches and installs what is missing, whatever the window says: nothing that serves is touched. */
  async #bring(desired: DesiredState, deployed: Deployed, todo: Set<string>): Promise<void> {
    const { memory } = this.#parts;
    for (const [ref, { digest, sources }] of Object.entries(desired.packages)) {
      const there = deployed.get(ref);
      const what = `bring ${ref}`;
      if (memory.barOn(ref) || (there && (there.digest ?? digest) === digest)) continue;
      todo.add(what);
      if (!this.#faults.isDue(what)) continue;
      await this.#attempt(
        what,
        ref,
        (now) => now.packages[ref]?.digest === digest,
        async (signal) => {
          const parts = partsOf(ref);
          if (!parts) return;
          if (there) throw otherContent(parts, digest);
          await this.#install({ ...parts, digest, ...(sources && { sources }) }, ref, signal);
        },
      );
    }
  }

  async #install(wanted: WantedPackage, ref: string, signal: AbortSignal): Promise<void> {
    const { bytes, station, memory, note } = this.#parts;
    this.#stand({ state: 'fetching', reason: ref, progress: 0 });
    const fetched = await bytes.fetch(wanted, {
      signal,
      onProgress: ({ doneBytes, totalBytes }) => {
        this.#stand({ state: 'fetching', reason: ref, progress: shareOf(doneBytes, totalBytes) });
      },
    });
    try {
      this.#stand({ state: 'installing', reason: ref });
      // Before it is there: a crash in between must not leave a version that nobody removes.
      if (!memory.record.installed.includes(ref))
        await memory.change({ installed: [...memory.record.installed, ref] });
      await station.install(fetched, wanted, { signal });
      note({
        ...{ kind: 'installed', version: ref },
        ...{ fetched_bytes: fetched.fetchedBytes, reused_bytes: fetched.reusedBytes },
      });
    } finally {
      await fetched.release();
    }
  }

  /** @returns why something waits */
  async #switch(desired: DesiredState, todo: Set<string>): Promise<string | undefined> {
    const { station, memory, signal } = this.#parts;
    const [serving, deployed] = [await station.serving({ signal }), await this.#deployed()];
    let waiting: string | undefined;
    for (const [ref, products] of byVersion(desired, serving)) {
      const what = `switch to ${ref}`;
      todo.add(what);
      const bar = memory.barOn(ref);
      const parts = partsOf(ref);
      if (!parts) continue;
      if (bar) {
        this.#faults.add(what, barred(parts, products, bar.reason));
        continue;
      }
      if (!deployed.has(ref) || !this.#faults.isDue(what)) continue;
      // Window and lock keep what serves from being touched: a product id that nothing serves waits for neither.
      const hold = products.some((product) => Object.hasOwn(serving, product))
        ? await this.#hold()
        : undefined;
      if (hold !== undefined) {
        waiting ??= hold;
        this.#faults.clear(what);
        continue;
      }
      const isWanted = (now: DesiredState) => products.every((product) => now.products[product] === ref);
      await this.#attempt(what, ref, isWanted, async (ended) => {
        this.#stand({ state: 'switching', reason: ref });
        await station.switch({ ...parts, productIds: products, signal: ended });
        this.#parts.note({ kind: 'switched', version: ref, products });
      });
    }
    return waiting;
  }

  /** Why nothing may be switched now. */
  async #hold(): Promise<string | undefined> {
    const { window, memory, clock, station, signal } = this.#parts;
    for (const one of [window, memory.group?.state.window]) {
      if (one && !isOpen(one, clock.local())) return `the maintenance window opens at ${one.from}`;
    }
    const locks = await station.locks({ signal });
    return locks.length === 0 ? undefined : `locked: ${locks.join('; ')}`;
  }

  /** Takes one step; a failure is kept, and the work goes on with what else there is. */
  async #attempt(
    what: string,
    ref: string,
    isWanted: Step['isWanted'],
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { signal, failed } = this.#parts;
    const abort = new AbortController();
    this.#step = { ref, abort, isWanted };
    try {
      this.reconsider(); // what was heard since the work began
      if (abort.signal.aborted) return;
      await work(AbortSignal.any([signal, abort.signal]));
      this.#faults.clear(what);
    } catch (error) {
      if (abort.signal.aborted || signal.aborted || RunnerError.is(error, 'superseded')) return;
      failed(this.#faults.add(what, error));
    } finally {
      this.#step = undefined;
    }
  }

  /** Removes versions that were installed for the fleet and are not desired any more, as far as nothing goes back to them. */
  async #tidy(desired: DesiredState, serving: Serving): Promise<void> {
    const { memory, station, signal, note } = this.#parts;
    const served = new Set(Object.keys(serving).map((product) => servedRef(serving, product)));
    const deployed = await this.#deployed();
    for (const ref of memory.record.installed) {
      const parts = partsOf(ref);
      if (!parts || Object.hasOwn(desired.packages, ref) || served.has(ref)) continue;
      if (deployed.has(ref)) {
        try {
          await station.uninstall(parts.name, parts.version, { signal });
          note({ kind: 'uninstalled', version: ref });
        } catch {
          continue; // in use, or a rollback would go back to it: another time
        }
      }
      await memory.change({ installed: memory.record.installed.filter((one) => one !== ref) });
    }
  }

  async #deployed(): Promise<Map<string, DeployedPackage>> {
    const { station, signal } = this.#parts;
    return new Map((await station.deployed({ signal })).map((one) => [`${one.name}@${one.version}`, one]));
  }

  #stand(standing: Omit<Standing, 'rev'>): void {
    this.standing = { rev: this.#rev, ...standing };
    this.#show();
  }
}

/** Product ids to be switched, by the version that they are to be served by. */
function byVersion(desired: DesiredState, serving: Serving): Map<string, string[]> {
  const wanted = new Map<string, string[]>();
  for (const [product, ref] of Object.entries(desired.products)) {
    if (servedRef(serving, product) !== ref) wanted.set(ref, [...(wanted.get(ref) ?? []), product]);
  }
  return wanted;
}

function servedRef(serving: Serving, product: string): string | undefined {
  const served = Object.hasOwn(serving, product) ? serving[product] : undefined;
  return served && `${served.name}@${served.version}`;
}

function shareOf(done: number, total: number): number {
  return total === 0 ? 0 : Math.min(1, Math.floor((done / total) * 20) / 20);
}

function otherContent(parts: { name: string; version: string }, digest: string): RunnerError {
  return new RunnerError(
    'digest_mismatch',
    `${parts.name} ${parts.version} is deployed here with another content than ${digest}, which the fleet wants. ` +
      'Give what is new another version',
    { details: parts },
  );
}

function barred(parts: { name: string; version: string }, productIds: string[], reason: string): RunnerError {
  return new RunnerError(
    'version_barred',
    `${parts.name} ${parts.version} is desired and has a bar: ${reason}. Desire another version, or lift the bar`,
    { details: { ...parts, productIds, reason } },
  );
}
