import { asFailure, type RunnerError } from '../../errors.js';
import { keyOf, namesIn } from '../keys.js';
import type { StoredValue } from '../ports.js';
import { partsOf, refOf } from '../state/refs.js';
import { openBar, openDesired, openGroup } from '../state/signing.js';
import type { SignedState } from '../state.js';
import { isSame } from './memory.js';
import type { AgentParts } from './parts.js';

/** How long a watch that ended is left closed. */
const REOPEN_MS = 2_000;

/** What has changed for the other lanes. */
export interface Heard {
  onDesired: () => void;
  onBar: (ref: string) => void;
  /** Something that the report shows. */
  onShown: () => void;
}

/**
 * Hears what the controller wrote. A watch is quick, and may go silent: so each key is also read when the line stands again and every
 * minute. Either way a word counts by its signature and its revision alone.
 */
export class Words {
  readonly #parts: AgentParts;
  readonly #heard: Heard;
  readonly #keys: { desired: string; group: string | undefined };
  readonly #watches = new Map<string, { end: () => void }>();
  /** By key, the words that were refused, so that each is written down once. */
  readonly #refused = new Map<string, { value: string; error: RunnerError }>();
  /**
   * By key, the revision that it had in the bucket as was heard last, over the line that stands. A word that comes while the key is
   * read is newer than what the read says, and of two words the older may come last: neither is a replay that the bucket has.
   */
  #newest = new Map<string, number>();
  #hasRead = false;
  #isDesiredThere = false;

  constructor(parts: AgentParts, heard: Heard) {
    this.#parts = parts;
    this.#heard = heard;
    const { name, group } = parts;
    this.#keys = {
      desired: keyOf('desired', name),
      group: group === undefined ? undefined : keyOf('group', group),
    };
  }

  /** The word that is not acted on, where there is one. */
  get refusal(): RunnerError | undefined {
    return [...this.#refused.values()].at(-1)?.error;
  }

  /** Whether the bucket was read and has no word for this station, although it had one before. */
  get isGone(): boolean {
    return this.#hasRead && !this.#isDesiredThere && this.#parts.memory.desired !== undefined;
  }

  /** Opens every watch anew: after a line went silent, an old one may never say a word again. */
  watch(): void {
    this.close();
    this.#newest = new Map();
    const { desired, group } = this.#keys;
    for (const key of [desired, ...(group === undefined ? [] : [group]), 'bar.>']) this.#open(key);
  }

  close(): void {
    for (const { end } of this.#watches.values()) end();
    this.#watches.clear();
  }

  #open(key: string): void {
    const { connection, clock, signal } = this.#parts;
    const watch: { end: () => void } = { end: () => undefined };
    this.#watches.set(key, watch);
    const isMine = () => this.#watches.get(key) === watch && !signal.aborted;
    const end = connection.values.watch(key, {
      onChange: (stored) => {
        if (stored && isMine()) void this.#take(stored.key, stored);
      },
      onEnd: () => {
        if (!isMine()) return;
        watch.end = clock.after(REOPEN_MS, () => {
          if (isMine()) this.#open(key);
        });
      },
    });
    watch.end = end;
  }

  /** Reads every key that concerns this station. @throws RunnerError `unreachable`, `timeout` */
  async read(versions: ReadonlySet<string>): Promise<void> {
    const { connection, signal } = this.#parts;
    const bars = [...versions].flatMap((ref) => {
      const parts = partsOf(ref);
      return parts ? [keyOf('bar', parts.name, parts.version)] : [];
    });
    const { desired, group } = this.#keys;
    // Bars first: a version is not switched to before its bar was looked for. A word that was refused may be gone: no watch tells which.
    const known = [...bars, ...(group === undefined ? [] : [group]), ...this.#refused.keys()];
    for (const key of new Set([...known.filter((key) => key !== desired), desired])) {
      const newest = this.#newest;
      const heard = newest.get(key);
      const stored = await connection.values.get(key, { signal });
      if (newest !== this.#newest) return; // asked over another line: all is read again over this one
      const isPresent = heard === newest.get(key);
      if (isPresent) newest.set(key, stored?.revision ?? 0);
      if (isPresent && key === desired) this.#isDesiredThere = stored !== undefined;
      if (stored) await this.#take(key, stored);
      else if (isPresent) this.#refused.delete(key);
    }
    this.#hasRead = true;
    this.#heard.onShown();
  }

  async #take(key: string, { value, revision }: StoredValue): Promise<void> {
    const isNewest = () => revision >= (this.#newest.get(key) ?? 0);
    if (isNewest()) this.#newest.set(key, revision);
    try {
      const isNews = await this.#accept(key, value);
      const wasRefused = isNewest() && this.#refused.delete(key);
      if (isNews || wasRefused) this.#heard.onShown();
    } catch (error) {
      if (isNewest()) this.#refuse(key, value, asFailure(error, `read ${key}`));
    }
  }

  /** @returns whether it is news @throws RunnerError `untrusted_state` */
  async #accept(key: string, value: unknown): Promise<boolean> {
    const { memory, keys, plant, name, group } = this.#parts;
    const expected = { keys, plant };
    if (key === this.#keys.desired) {
      this.#isDesiredThere = true;
      if (isSame(memory.desired?.signed, value)) return false;
      const accepted = openDesired(value, { ...expected, station: name, seen: seen(memory.desired) });
      const { rev, rollout } = accepted.state;
      this.#parts.note({ kind: 'desired', rev, ...(rollout !== undefined && { rollout }) });
      await this.#kept(memory.accept(accepted), this.#heard.onDesired);
      return true;
    }
    if (group !== undefined && key === this.#keys.group) {
      if (isSame(memory.group?.signed, value)) return false;
      const accepted = openGroup(value, { ...expected, group, seen: seen(memory.group) });
      await this.#kept(memory.acceptGroup(accepted), this.#heard.onDesired);
      return true;
    }
    const [barName, version] = namesIn(key, 'bar') ?? [];
    if (barName === undefined || version === undefined) return false;
    const known = memory.bars.get(refOf(barName, version));
    if (isSame(known?.signed, value)) return false;
    const accepted = openBar(value, { ...expected, name: barName, version, seen: seen(known) });
    const ref = refOf(barName, version);
    const { reason, by, lifted = false } = accepted.state;
    this.#parts.note({ kind: lifted ? 'lifted' : 'bar', version: ref, reason, by });
    await this.#kept(memory.acceptBar(ref, accepted), () => {
      this.#heard.onBar(ref);
    });
    return true;
  }

  /** On the disk first, so that a crash does not forget it; a disk that takes nothing keeps nothing from being done. */
  async #kept(written: Promise<void>, then: () => void): Promise<void> {
    await written.catch((error: unknown) => {
      this.#parts.failed(asFailure(error, 'write down what the fleet wants'));
    });
    then();
  }

  #refuse(key: string, value: unknown, error: RunnerError): void {
    const text = JSON.stringify(value).slice(0, 100_000);
    if (this.#refused.get(key)?.value === text) return;
    this.#refused.delete(key);
    this.#refused.set(key, { value: text, error });
    this.#parts.note({ kind: 'refused', key, reason: error.details.reason ?? error.message });
    this.#parts.failed(error);
    this.#heard.onShown();
  }
}

function seen(
  accepted: { state: { rev: number }; signed: SignedState } | undefined,
): { rev: number; body: string } | undefined {
  return accepted && { rev: accepted.state.rev, body: accepted.signed.body };
}
