import type { Generation, VersionRef } from '../package/types.js';
import type { ParameterValues, StepParameters } from '../parameters/types.js';

/** Where a package or version stands. */
export type PackageState =
  'discovered' | 'validated' | 'deployed' | 'running' | 'executing' | 'stopped' | 'invalid';

/** One deployed version, as `registry.json` holds it. Unknown fields are kept: `entry as RegistryEntry & { line: string }`. */
export interface RegistryEntry {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
  /** Product ids it may serve; empty means any (execute-only packages declare none). */
  supported_pids: string[];
  /** Where it stands. */
  state: PackageState;
  /** ISO 8601, UTC. */
  created_at: string;
  /** `module.path:ClassName` */
  entry_point: string;
  /** How it is called. */
  generation: Generation;
  /** Of the vendored SDK. */
  sdk_version?: string;
  /** Version of the interpreter its environment was made with. */
  python_version?: string;
  /** Whether its environment has NumPy, as found by the trial run. */
  has_numpy?: boolean;
  /** Whether its environment has Pillow, so that it can read JPEG and PNG, as found by the trial run. */
  has_pillow?: boolean;
  /**
   * Indices of its steps, as its `get_info()` or its manifest declares them: calls to other steps are refused. Absent or
   * empty where it declares none; a call is then to a step from 1.
   */
  step_indexes?: number[];
  /**
   * Its steps with their parameters, as its `get_info()` or its manifest declares them: values of a call are held against
   * them. Absent where it declares no parameters, or more than 64 KiB of them.
   */
  steps?: StepParameters[];
  /** Files that its manifest says it needs (`required_assets`, `default_config`), as they were installed. */
  assets?: {
    /** Below the version's folder, with `/`. */
    path: string;
    size_bytes: number;
    /** Lower-case hex. */
    sha256: string;
  }[];
  /** Formats of more than 8 bits that it takes as they are, as its manifest lists them. */
  image_formats?: string[];
  /** SHA-256 of the zip it came from, lower-case hex. */
  sha256?: string;
  /** `local`: packed on this machine from a project folder, not delivered. */
  origin?: 'local';
  /** Names of files that it was deployed with a copy of its own of, as `ownFiles` or its policy said. */
  own_files?: string[];
  /** Bytes on disk, environment included. */
  size_bytes?: number;
  /** Who deployed it. */
  operator?: string;
  /** Of the operation that deployed it: it differs for two deployments of the same bytes. */
  deployment_id?: string;
  /** SHA-256 of the list of its files, lower-case hex. */
  inventory_sha256?: string;
}

/** Which version serves a product id: the content of `active/<pid>.json`. Unknown fields are kept. */
export interface ActiveMapping {
  /** The product id. */
  pid: string;
  /** Package that serves it. */
  name: string;
  /** Version that serves it. */
  version: string;
  /** ISO 8601, UTC. */
  activated_at: string;
  /** Who activated it. */
  operator?: string;
  /** Parameters that calls of the product id get where they bring none of that name, see `Registry.setParams`. */
  params?: ParameterValues;
  /** Earlier versions, newest first; what `rollback` goes back through. */
  history?: (VersionRef & {
    /** ISO 8601, UTC. */
    activated_at: string;
    /** Parameters that were kept for the product id then. */
    params?: ParameterValues;
  })[];
  /** Versions this id was taken back from, and why; refused unless forced. `at` is ISO 8601, UTC. */
  barred?: (VersionRef & {
    /** In words. */
    reason: string;
    /** ISO 8601, UTC. */
    at: string;
  })[];
}

/** Files that move with a change: in their new places once it is committed, else where they were. */
export interface MovedFiles {
  /** Moves them, just before the commit. */
  publish: () => Promise<void>;
  /** Moves them back, when the commit has not happened; however far `publish` came. */
  withdraw: () => Promise<void>;
}
