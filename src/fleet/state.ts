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
