import { RunnerError } from '../../errors.js';
import { keyOf, namesIn } from '../keys.js';
import type { StoredValue } from '../ports.js';
import { readReported } from '../state/read.js';
import { openState, type AcceptedState, type SignedStates, type TrustedKeys } from '../state/signing.js';
import { REPORT_EVERY_MS, type ReportedState, type SignedState } from '../state.js';
import type { FleetView, StationView } from './view.js';

/** Kinds of keys that a controller reads. */
export const KINDS = ['desired', 'group', 'bar', 'rollout', 'reported'] as const;
type Kind = (typeof KINDS)[number];
type SignedKind = Exclude<Kind, 'reported'>;

/** A station that has not reported for so long cannot be reached. */
export const OFFLINE_AFTER_MS = 3 * REPORT_EVERY_MS;

/** Machines under one name that are remembered, at most: a hostile station may report a new one each time. */
const MOST_HOSTS = 8;

interface Entry {
  kind: Kind;
  names: string[];
  revision: number;
  /** Of {@link FleetMemory.mark}, when it was taken in. */
  mark: number;
  /** Why the value cannot be used. */
  fault?: string;
  reported?: ReportedState;
  /** When it was last heard of anew; none where only the first look has shown it: it may be from a month ago. */
  heardAt?: number;
  /** Names of the machines that have reported, with the time of their last report. */
  hosts?: ReadonlyMap<string, number>;
  /** Until then two machines seem to report under the name. */
  doubledUntil?: number;
}

/** A signed state that the bucket had, and has no more or in an older form: a write that the server lost. */
export interface LostState {
  key: string;
  value: unknown;
  revision: number;
}

/**
 * What was read from the bucket, checked. It is a copy to decide by: what is decided is written only if the bucket is still as it was
 * read. The highest revision of each signed state is remembered, so that an older one is neither acted on nor left there.
 */
export class FleetMemory {
  readonly #plant: string;
  readonly #keys: TrustedKeys;
  readonly #entries = new Map<string, Entry>();
  readonly #newest = new Map<
    string,
    { kind: SignedKind; accepted: AcceptedState<SignedStates[SignedKind]> }
  >();
  readonly #refused = new Map<string, string>();
  #isListed = false;
  #mark = 0;

  constructor(o: { plant: string; keys: TrustedKeys }) {
    this.#plant = o.plant;
    this.#keys = o.keys;
  }

  /** Rises with each value that is taken in. */
  get mark(): number {
    return this.#mark;
  }

  /** Takes a value in. @returns whether it was news */
  take(stored: StoredValue, now: number): boolean {
    const { key, revision } = stored;
    const kind = KINDS.find((one) => key.startsWith(`${one}.`));
    const names = kind && namesIn(key, kind);
    const known = this.#entries.get(key);
    if (!kind || !names || (known && revision <= known.revision)) return false;
    this.#set({ kind, names, stored, now });
    return true;
  }

  /**
   * Takes in all that a prefix has: a key that is gone is forgotten, and of a key with a lower revision the server has
   * lost a write. What a word has brought since the list was asked for is newer than the list, and stays.
   *
   * @param asked - the {@link FleetMemory.mark} when the list was asked for
   */
  takeAll(kind: Kind, all: readonly StoredValue[], now: number, asked = this.#mark): void {
    const found = new Map(all.map((stored) => [stored.key, stored]));
    for (const [key, entry] of this.#entries) {
      if (entry.kind === kind && !found.has(key) && entry.mark <= asked) this.#entries.delete(key);
    }
    for (const stored of all) {
      const names = namesIn(stored.key, kind);
      const known = this.#entries.get(stored.key);
      const isOlder = known !== undefined && known.mark > asked && known.revision > stored.revision;
      if (names && !isOlder && !this.#isKnown(stored)) this.#set({ kind, names, stored, now });
    }
    if (kind !== 'reported') return;
    this.#isListed = true;
    this.#refused.clear();
  }

  /**
   * Whether a value was taken in as it is. A server that lost writes gives their revisions out again, so that the revision alone does
   * not say it.
   */
  #isKnown({ key, value, revision }: StoredValue): boolean {
    const entry = this.#entries.get(key);
    if (entry?.revision !== revision) return false;
    if (entry.kind === 'reported')
      return entry.reported?.seq === (value as Partial<ReportedState> | null)?.seq;
    const { signed } = this.#newest.get(key)?.accepted ?? {};
    return (
      entry.fault === undefined && signed?.signature === (value as Partial<SignedState> | null)?.signature
    );
  }

  /** Notes a write of this controller. */
  wrote<K extends SignedKind>(
    kind: K,
    key: string,
    accepted: AcceptedState<SignedStates[K]>,
    revision: number,
  ): void {
    // The word of a later write may be faster than the answer to this one.
    if (revision <= this.revisionOf(key)) return;
    this.#entries.set(key, { kind, names: namesIn(key, kind) ?? [], revision, mark: ++this.#mark });
    this.#newest.set(key, { kind, accepted });
  }

  /** Notes that a lost state is back. */
  restored(key: string, revision: number): void {
    const kind = this.#newest.get(key)?.kind;
    if (!kind || revision <= this.revisionOf(key)) return; // as of a write
    this.#entries.set(key, { kind, names: namesIn(key, kind) ?? [], revision, mark: ++this.#mark });
  }

  /** Leaves a station alone until the next {@link FleetMemory.takeAll} of reports: its desired state cannot be written. */
  refuse(station: string, reason: string): void {
    this.#refused.set(station, reason);
  }

  /** Revision to write a key at; 0 where there is none. */
  revisionOf(key: string): number {
    return this.#entries.get(key)?.revision ?? 0;
  }

  /** The highest term in any state. */
  get term(): number {
    const terms = [...this.#newest.values()].map(({ accepted: { state } }) => {
      const { term, made } = state as { term?: number; made?: { term?: number } };
      return made?.term ?? term ?? 0;
    });
    return Math.max(0, ...terms);
  }

  /** Signed states that the bucket has lost, or has in an older form. */
  lost(): LostState[] {
    return [...this.#newest].flatMap(([key, { accepted }]) => {
      const entry = this.#entries.get(key);
      if (entry && entry.fault === undefined) return [];
      return [{ key, value: accepted.signed, revision: entry?.revision ?? 0 }];
    });
  }

  /** Keys whose value cannot be used, with the reason. */
  faults(): { key: string; reason: string }[] {
    return [...this.#entries].flatMap(([key, { fault }]) =>
      fault === undefined ? [] : [{ key, reason: fault }],
    );
  }

  /** Whether a station has reported lately. */
  isReachable(station: string, now: number): boolean {
    const heardAt = this.#entries.get(keyOf('reported', station))?.heardAt;
    return heardAt !== undefined && now - heardAt < OFFLINE_AFTER_MS;
  }

  /** Stations that have reported once and cannot be reached, sorted. */
  offline(now: number): string[] {
    const reported = [...this.#entries.values()].filter(({ kind }) => kind === 'reported');
    return reported
      .map(({ names: [station = ''] }) => station)
      .filter((station) => !this.isReachable(station, now))
      .sort();
  }

  /** What is known now. */
  view(o: { term: number; now: number; at: string }): FleetView {
    const stations = new Map<string, StationView>();
    const names = [...this.#entries.values()].flatMap(({ kind, names: [station = ''] }) =>
      kind === 'desired' || kind === 'reported' ? [station] : [],
    );
    const told = this.#ofKind('desired').map((state) => state.station);
    for (const station of [...names, ...told, ...this.#refused.keys()]) {
      if (!stations.has(station)) stations.set(station, this.#station(station, o.now));
    }
    return {
      ...{ plant: this.#plant, term: o.term, at: o.at, stations },
      groups: new Map(this.#ofKind('group').map((state) => [state.group, state])),
      bars: new Map(this.#ofKind('bar').map((state) => [`${state.name}@${state.version}`, state])),
      rollouts: this.#ofKind('rollout'),
    };
  }

  #station(station: string, now: number): StationView {
    const entry = this.#entries.get(keyOf('reported', station));
    const desired = this.#newest.get(keyOf('desired', station))?.accepted.state as StationView['desired'];
    const isDoubled = entry?.doubledUntil !== undefined && now < entry.doubledUntil;
    const doubled = isDoubled ? `two stations report as ${station}: give each a name of its own` : undefined;
    const trouble = this.#refused.get(station) ?? entry?.fault ?? doubled;
    return {
      ...{ station, isReachable: this.isReachable(station, now) },
      ...(desired && { desired }),
      ...(entry?.reported && { reported: entry.reported }),
      ...(trouble !== undefined && { trouble }),
    };
  }

  #ofKind<K extends SignedKind>(kind: K): SignedStates[K][] {
    return [...this.#newest.values()]
      .filter((newest) => newest.kind === kind)
      .map(({ accepted }) => accepted.state as SignedStates[K]);
  }

  #set({
    kind,
    names,
    stored,
    now,
  }: {
    kind: Kind;
    names: string[];
    stored: StoredValue;
    now: number;
  }): void {
    const { key, value, revision } = stored;
    const known = this.#entries.get(key);
    const entry: Entry = { kind, names, revision, mark: ++this.#mark };
    try {
      if (kind === 'reported') Object.assign(entry, this.#report(stored, names, known, now));
      else this.#accept(kind, key, value, names);
    } catch (error) {
      if (!RunnerError.is(error, 'untrusted_state')) throw error;
      entry.fault = error.details.reason;
    }
    this.#entries.set(key, entry);
  }

  /** @throws RunnerError `untrusted_state` also for a state that is older than the accepted state */
  #accept(kind: SignedKind, key: string, value: unknown, names: string[]): void {
    const seen = this.#newest.get(key)?.accepted;
    const accepted = openState(kind, value, {
      ...{ keys: this.#keys, plant: this.#plant, names },
      // Of one revision with two contents, one was lost by the server: the present content holds.
      seen: { rev: (seen?.state.rev ?? 1) - 1, body: '' },
    });
    this.#newest.set(key, { kind, accepted });
  }

  /** Whether a report came since the first look: a report that was there before may be from a month ago. */
  #isNews({ seq }: ReportedState, known: Entry | undefined): boolean {
    if (!known) return this.#isListed;
    return known.reported === undefined || seq > known.reported.seq;
  }

  #report(
    { key, value }: StoredValue,
    [station = '']: string[],
    known: Entry | undefined,
    now: number,
  ): Partial<Entry> {
    const reported = readReported(key, value, { plant: this.#plant, station });
    const { hosts = new Map<string, number>() } = known ?? {};
    const { name } = reported.host;
    const before = known?.reported?.host.name;
    // A machine that was replaced reports no more; two machines take turns.
    const isDouble =
      before !== undefined && before !== name && now - (hosts.get(name) ?? -Infinity) < OFFLINE_AFTER_MS;
    const doubledUntil = isDouble ? now + OFFLINE_AFTER_MS : known?.doubledUntil;
    return {
      reported,
      hosts: new Map(
        [...hosts, [name, now] as const].filter(([, at]) => now - at < OFFLINE_AFTER_MS).slice(-MOST_HOSTS),
      ),
      ...(this.#isNews(reported, known)
        ? { heardAt: now }
        : known?.heardAt !== undefined && { heardAt: known.heardAt }),
      ...(doubledUntil !== undefined && { doubledUntil }),
    };
  }
}
