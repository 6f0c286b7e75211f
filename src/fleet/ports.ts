import type { OperationOptions } from '../abort.js';
import type { CallFigures } from './state.js';

/** What a key-value bucket holds for a key. */
export interface StoredValue {
  /** The key, encoded: see `keyOf`. */
  key: string;
  /** The value: JSON, parsed. It is untrusted: validate. */
  value: unknown;
  /** Revision of the bucket at which it was written; it rises with each write of any key, and starts anew when the bucket is made anew. */
  revision: number;
}

/** Options of {@link KeyValuePort.watch}. */
export interface WatchOptions {
  /**
   * Gets each value that the port hears of, the present one first; `undefined` for a key that is gone. Words may be lost, doubled
   * or late: a word is a reason to look, never the truth.
   */
  onChange: (stored: StoredValue | undefined) => void;
  /** Is called once when the watch has ended, with the reason. Its caller opens it again. */
  onEnd: (reason: string) => void;
}

/**
 * The key-value bucket of the fleet. Each call ends within a few seconds: with `timeout` or `unreachable` where there is no line.
 * A write that failed by either may have been stored.
 */
export interface KeyValuePort {
  /** The present value, asked of the server: never from a copy. `undefined` where there is none. */
  get(key: string, o?: OperationOptions): Promise<StoredValue | undefined>;
  /**
   * Writes, and says the new revision. With `revision`, only if the key is still as it was then (0: if there is none). With `ttlMs` the
   * value goes after that time; no watch need tell of it.
   * @throws RunnerError `conflict` when it is not
   */
  put(
    key: string,
    value: unknown,
    o?: OperationOptions & { revision?: number; ttlMs?: number },
  ): Promise<number>;
  /** Removes a key; with `revision`, only if it is still as it was then. */
  delete(key: string, o?: OperationOptions & { revision?: number }): Promise<void>;
  /** All values below a prefix (`reported.`). Not for stations: their permissions do not reach so far. */
  list(prefix: string, o?: OperationOptions): Promise<StoredValue[]>;
  /** Watches a key, or a prefix (`bar.>`): of a prefix it says changes alone, no present values. The answer ends the watch. */
  watch(key: string, o: WatchOptions): () => void;
}

/** The stream of events. */
export interface EventStreamPort {
  /**
   * Stores an event of a station (by its name) and resolves once it is stored. The stream keeps one of the events of one `id`
   * (`<station>/<offset>`), within a window of some minutes: the answer says whether it had it already.
   * With `after`, only if the last event that the stream has of the station is of this offset (0: if it has none): an event that
   * waited for the line would else leave a hole in a stream that lost its last events.
   *
   * @throws RunnerError `conflict` when the last event is another
   */
  publish(
    station: string,
    body: unknown,
    o: OperationOptions & { id: string; after?: number },
  ): Promise<{ isDuplicate: boolean }>;
  /** The greatest offset that the stream has of a station, so that a log that goes on after months sends nothing twice. */
  lastOffset(station: string, o?: OperationOptions): Promise<number | undefined>;
  /**
   * Events that the stream holds, oldest first: those after a sequence number, or the last ones. Not for stations.
   * At most `limit` (100), of one station or of all.
   */
  read(o?: OperationOptions & { station?: string; after?: number; limit?: number }): Promise<StoredEvent[]>;
}

/** An event in the stream. */
export interface StoredEvent {
  /** Its place in the stream; it rises with each event of any station. */
  sequence: number;
  subject: string;
  /** As it was published: JSON, parsed, and untrusted. */
  body: unknown;
  /** ISO 8601, when the server stored it. */
  storedAt: string;
}

/** The line to the server. */
export interface FleetConnection {
  readonly values: KeyValuePort;
  readonly events: EventStreamPort;
  /** Whether the line stands, as far as is known. */
  readonly isConnected: boolean;
  /** Is called each time the line stands again: every watch is opened anew, and everything is read again. The answer ends it. */
  onConnect(listener: () => void): () => void;
  /** Ends the line and every watch. Idempotent. */
  close(): Promise<void>;
}

/** A package whose bytes are wanted. */
export interface WantedPackage {
  name: string;
  version: string;
  /** Its canonical digest (lower-case hex, SHA-256): see `packageDigest` of `procvision-runner/signing`. */
  digest: string;
  /** Addresses of sources that are asked before the station's own. */
  sources?: string[];
}

/** Brings packages to the station. */
export interface PackageBytesPort {
  /**
   * Makes a package from what the station has and what the sources have, and resolves with its zip once its canonical digest is
   * the wanted digest. What was fetched before a cut is not fetched again.
   *
   * @throws RunnerError `source_missing` when no source has it, `digest_mismatch` when what they have is something else, `unreachable`
   */
  fetch(
    wanted: WantedPackage,
    o?: OperationOptions & { onProgress?: (p: FetchProgress) => void },
  ): Promise<FetchedPackage>;
}

/** How far a fetch has come. */
export interface FetchProgress {
  /** Bytes of the package that are there. */
  doneBytes: number;
  totalBytes: number;
  /** Bytes that came from sources. */
  fetchedBytes: number;
}

/** A package that was fetched. */
export interface FetchedPackage {
  /** Path of its zip. */
  zip: string;
  /** Bytes that came from sources. */
  fetchedBytes: number;
  /** Bytes that the station had already. */
  reusedBytes: number;
  /** Removes the zip, unless it was moved. */
  release(): Promise<void>;
}

/** A version that a product id is served by. */
export interface ServedVersion {
  name: string;
  version: string;
  /** Whether it is still on trial: the version before it is kept running. */
  isOnTrial: boolean;
}

/** A version that is deployed. */
export interface DeployedPackage {
  name: string;
  version: string;
  /** Canonical digest, where it is known. */
  digest?: string;
}

/** What runs on the station: the reconciler works on it alone. */
export interface StationPort {
  /** Every version that is deployed, also what nothing of the fleet deployed. */
  deployed(o?: OperationOptions): Promise<DeployedPackage[]>;
  /** By product id. */
  serving(o?: OperationOptions): Promise<Record<string, ServedVersion>>;
  /** Verifies, signature included, and deploys; idempotent. */
  install(fetched: FetchedPackage, wanted: WantedPackage, o?: OperationOptions): Promise<void>;
  /** Switches product ids to a version with its trial; resolves when it serves, on trial or for good. */
  switch(o: OperationOptions & { name: string; version: string; productIds: string[] }): Promise<void>;
  /**
   * Takes product ids back at once from a version: to the newest earlier version that is not among `quarantined`.
   * A product id that has no such version stops being served: `left` names it. A product id that the version does not serve (any
   * more) is left alone.
   */
  back(
    o: OperationOptions & {
      name: string;
      version: string;
      productIds: string[];
      quarantined: readonly string[];
    },
  ): Promise<{ to: Record<string, string>; left: string[] }>;
  /** Removes a version that nothing uses. */
  uninstall(name: string, version: string, o?: OperationOptions): Promise<void>;
  /** Reasons why nothing may be switched now (an update lock of the line); empty when it may. */
  locks(o?: OperationOptions): Promise<string[]>;
  /** Figures of the last calls, by product id. */
  calls(o?: OperationOptions): Promise<Record<string, CallFigures>>;
  /** Tells that something else serves than before, or is no longer on trial: a reason to look. The answer ends it. */
  onChange(listener: () => void): () => void;
}

/** What the agent keeps on disk; each call is durable when it resolves. */
export interface AgentDiskPort {
  /** What was written last; a record of a new agent where there is none. */
  read(): Promise<AgentRecord>;
  /** Replaces the record, whole or not at all. */
  write(record: AgentRecord): Promise<void>;
  /** Appends an event to the station's own log and says its offset: 1, 2, 3 and so on, without a gap. */
  append(event: unknown): Promise<number>;
  /** Events after an offset, oldest first, at most `limit`. */
  eventsAfter(offset: number, limit: number): Promise<{ offset: number; event: unknown }[]>;
  /** Forgets events up to an offset: they were published long ago. */
  forget(offset: number): Promise<void>;
  /**
   * Gives every event of the log the next offsets after `offset`, where the first is not beyond it: of a log that began anew, on a
   * disk that is new, in front of a stream that has older events of the station. Events before `from` are left out: of a disk that was
   * restored from a backup, the stream has them.
   */
  renumber(offset: number, from?: number): Promise<void>;
}

/** What an agent remembers over a restart and a month without a line. */
export interface AgentRecord {
  /** The desired state that was accepted last, with its signature; it is worked on without a line too. */
  desired?: unknown;
  /** The group's state that was accepted last, with its signature. */
  group?: unknown;
  /** Highest revision of a desired state that was accepted: an older one is a replay. */
  revision: number;
  /** Words about versions, by `name@version`, each with its signature: bars, and bars that were lifted. */
  quarantined: Record<string, unknown>;
  /** Versions (`name@version`) that were installed for the fleet: it removes no other. */
  installed: string[];
  /** A number that is above each `seq` of a report so far. */
  seq: number;
  /** Whether the log's offsets go on after those that the stream has: asked once, at the first connection. */
  joined: boolean;
  /** Offset of the event that was published last. */
  published: number;
}
