/** The JSON of the fleet's bucket, as it is on the wire: snake_case, and every value is untrusted until it is checked. */

/** Signed by a controller's key: what `desired.<station>`, `group.<name>` and `bar.<name>.<version>` hold. */
export interface SignedState {
  /** JSON text of the state: what was signed, byte by byte. */
  body: string;
  /** Identifier of the Ed25519 key: see `SigningKeys.keyId` of `procvision-runner/signing`. */
  key: string;
  /** Base64, over a line that names the format and the key in the bucket, and the body. */
  signature: string;
}

/** What a station is to deploy and to serve. */
export interface DesiredState {
  /** Rises with each change by the controller: clocks are not trusted, and an older one than was seen is refused. */
  rev: number;
  /** Plant and station, as they are named: a state is for no other station. */
  plant: string;
  station: string;
  /** By `name@version`: two versions of a package may serve two product ids. */
  packages: Record<string, { digest: string; sources?: string[] }>;
  /** Product id to `name@version`. A product id that is not named is left as it is. */
  products: Record<string, string>;
  /** Of the rollout that made it. */
  rollout?: string;
  /** Notes for the controller that follows; a station does not look at them. */
  made?: DesiredNotes;
}

/** What a controller writes down in a desired state, so that another controller can go on from it. */
export interface DesiredNotes {
  /** Of the controller that wrote it. */
  term: number;
  /** By product id, the rollout that was there last. */
  by: Record<string, RolloutMark>;
}

/** What a rollout did to one product id of one station. */
export interface RolloutMark {
  rollout: string;
  /** Of the rollout: see {@link RolloutState.number}. */
  number: number;
  /** `kept`: the rollout had ended when the station's turn came; `back`: it was taken back. */
  how: 'moved' | 'kept' | 'back';
  /** `name@version` that was to serve before, where there was one. */
  before?: string;
  /** Calls of what served before: what the gates compare with. */
  calls?: CallFigures;
}

/** When a station may switch, in its own local time. Without one it may at any time. */
export interface MaintenanceWindow {
  /** `22:00` */
  from: string;
  /** `05:30`; before `from`, it ends on the next day. */
  to: string;
  /** 0 is Sunday; days on which it begins. @defaultValue every day */
  days?: number[];
}

/** Stations that are taken forward together. */
export interface GroupState {
  rev: number;
  plant: string;
  group: string;
  stations: string[];
  window?: MaintenanceWindow;
  /** Stations of it that may be on the way to another version at a time: a number, or a share such as `10%`. */
  max_unavailable?: number | string;
}

/** A version that no station may serve; `lifted` takes the word back. */
export interface BarState {
  rev: number;
  plant: string;
  name: string;
  version: string;
  reason: string;
  by: string;
  /** ISO 8601, of the controller's clock: for people. */
  at: string;
  lifted?: boolean;
}

/** Where a station stands with its desired state. */
export type StationState =
  /** Serves what is desired. */
  | 'converged'
  | 'fetching'
  | 'installing'
  /** Has everything, and waits for its window or for a lock to go: `reason` says which. */
  | 'waiting'
  | 'switching'
  /** Serves what is desired, on trial. */
  | 'on_trial'
  /** Could not do it, and serves on what it served: `reason` says why. It tries again. */
  | 'failed'
  /** What it was told is not signed by a key it knows, is for somebody else or older than what it has seen. */
  | 'refused'
  /** Has never been told anything. */
  | 'idle';

/** A station reports at each change, and at least so often: a station that has not for three times as long cannot be reached. */
export const REPORT_EVERY_MS = 60_000;

/** What a station says of itself. */
export interface ReportedState {
  /** Of the desired state that it works on. 0 where there is none. */
  rev: number;
  /** Rises with each report of the station, over restarts too. */
  seq: number;
  plant: string;
  station: string;
  state: StationState;
  reason?: string;
  /** Code of the error behind `failed` and `refused`: a `RunnerErrorCode`. */
  code?: string;
  /** Product id to `name@version`. */
  serving: Record<string, string>;
  /** Product ids whose version is on trial. */
  on_trial: string[];
  /** By `name@version`, the digest. */
  deployed: Record<string, string>;
  /** `name@version` of what it will not serve, with the reason. */
  quarantined: Record<string, string>;
  /** Highest revision of a bar or of its group that it has accepted: after a wipe, words go on above it. */
  words_rev?: number;
  host: { name: string; platform: string; arch: string; node: string; library: string };
  /** Of the last calls, by product id: what gates of a rollout look at. */
  calls?: Record<string, CallFigures>;
  /** Progress of the fetch, 0 to 1. */
  progress?: number;
  /** ISO 8601, of the station's clock: for people. */
  at: string;
}

/** Calls of one product id since its version serves. */
export interface CallFigures {
  version: string;
  calls: number;
  ok: number;
  ng: number;
  /** Calls that failed, and answers with status ERROR. */
  errors: number;
  latency_p50_ms: number;
  latency_p99_ms: number;
}

/** Who is the one controller that acts. */
export interface LeaseState {
  holder: string;
  /** Rises with each holder: what a controller writes bears it, so that a controller that slept cannot write over its follower. */
  term: number;
}

/** A version on its way from station to station: signed under `rollout.<id>`, as desired states are. */
export interface RolloutState {
  rev: number;
  plant: string;
  /** Its id. */
  rollout: string;
  /** Of the controller that wrote it last; 0 while only an operator has. */
  term: number;
  order: RolloutOrder;
  /** Its place among all rollouts: where two concern one product id of a station, the greater holds. 0 until a controller took it on. */
  number: number;
  state: 'new' | 'running' | 'done' | 'halted' | 'back' | 'refused';
  /** Why it is halted, back or refused. */
  reason?: string;
  /** Stations of each wave, in their order: settled when a controller took it on. */
  stations: string[][];
  /** Index of the wave that is under way. */
  wave: number;
  /** Waves that an operator has let pass, of those that ask for approval: each up to this index. -1 for none. */
  approved: number;
  /** Stations whose desired states are being written. What is not named here is not written: a follower goes on from it. */
  moving: string[];
  /** How long the wave has taken, and how long its share of accepted stations has stood, by the clocks of controllers alone. */
  wave_ms: number;
  soaked_ms: number;
  by: string;
  /** ISO 8601, of the operator's clock: for people. */
  at: string;
}

/** What a rollout is to do. */
export interface RolloutOrder {
  name: string;
  version: string;
  /** Canonical digest of the package. */
  digest: string;
  sources?: string[];
  /** Of its zip: for the estimate of a dry run. */
  size_bytes?: number;
  /** Product ids that are moved. @defaultValue those of each station that a version of the package serves */
  products?: string[];
  waves: RolloutWave[];
  /** What happens when a gate fails: `back` bars the version, `halt` leaves each station where it is. */
  on_failure: 'back' | 'halt';
}

/** Stations that are moved together, and what they must show before the next wave begins. */
export interface RolloutWave {
  /** Name of a group; or the stations themselves. */
  group?: string;
  stations?: string[];
  /** Share of the group, above 0 to 1, rounded up: a later wave of the group takes the rest. @defaultValue 1 */
  share?: number;
  gates: RolloutGates;
}

/** What must hold before a wave has passed. Shares are of the stations of the wave that can be reached. */
export interface RolloutGates {
  /** Share that must have accepted the version, above 0 to 1. */
  accepted_share: number;
  /** The rollout fails when more than this share has failed, 0 to below 1. */
  failed_share: number;
  /** Sequential test of the share of failed calls. */
  errors?: { acceptable_rate: number; rejectable_rate: number; alpha: number; beta: number };
  /** The rollout fails when the share of NG moves by so much, up or down, from that of the version before. Above 0, below 1. */
  max_drift?: number;
  /** The rollout fails when the median latency is more than so many times that of the version before. */
  max_latency_ratio?: number;
  /** Calls before drift and latency are compared, of both versions. */
  min_calls: number;
  /** Time that the share of accepted stations must stand. */
  soak_ms: number;
  /** Whether an operator must approve before the next wave begins. */
  approval: boolean;
  /** The rollout fails when the wave has not passed by then, approval aside. @defaultValue none */
  deadline_ms?: number;
}
