import type { RunnerError } from '../errors.js';

/** How a package is called: `phased` has `pre_execute` and `execute`, `execute-only` (SDK 0.3 and later) just `execute`. */
export type Generation = 'phased' | 'execute-only';

/** A parameter of a step, as the manifest declares it. */
export interface StepParameter {
  key: string;
  type: string;
  default?: unknown;
  min?: number;
  max?: number;
  choices?: unknown[];
  unit?: string;
  required?: boolean;
  description?: string;
  [key: string]: unknown;
}

/** One inspection step, as the manifest declares it. */
export interface ManifestStep {
  /** From 1. */
  index: number;
  name: string;
  params?: StepParameter[];
  [key: string]: unknown;
}

/** `manifest.json` of a package. Unknown fields are kept. */
export interface Manifest {
  name: string;
  version: string;
  /** `module.path:ClassName` */
  entry_point: string;
  /** Absent only for the execute-only generation. */
  supported_pids?: string[];
  description?: string;
  steps?: ManifestStep[];
  required_assets?: unknown;
  python_version?: string;
  [key: string]: unknown;
}

/** One wheel file, known by its name (PEP 427). */
export interface Wheel {
  /** File name, without folder. */
  file: string;
  /** Normalised project name (PEP 503): `pillow`, `opencv-python`. */
  name: string;
  version: string;
  build?: string;
  /** Expanded tags, for example `cp311-cp311-manylinux_2_17_x86_64` (PEP 425). */
  tags: string[];
  sizeBytes: number;
}

/** One line of a requirements file, read as PEP 508. */
export interface Requirement {
  /** As written, without comment and options. */
  text: string;
  /** Normalised project name. */
  name: string;
  extras: string[];
  /** Version specifiers, for example `>=1.2,<2`; empty when any version will do. */
  specifier: string;
  marker?: string;
  /** Hashes demanded by `--hash=sha256:…`, lower-case hex. */
  hashes: string[];
  line: number;
}

/** What a package says about the interpreter it wants. */
export interface PythonNeed {
  /** From the manifest, `.procvision_env.json` or `deploy_bootstrap.json`, as written. */
  pythonVersion?: string;
  implementation?: string;
  abi?: string;
  platform?: string;
  /** Entry name of an interpreter shipped with the package. */
  embedded?: string;
}

/** Result of one check of a package. */
export interface Check {
  /** Stable name, as in the SDK's own report: `manifest_exists`, `entry_import`… */
  name: string;
  result: 'PASS' | 'FAIL' | 'SKIP';
  message: string;
  durationMs: number;
}

/** What a package is, told from its central directory and its small text entries alone. */
export interface PackageInspection {
  name: string;
  version: string;
  manifest: Manifest;
  generation: Generation;
  /** Version of the vendored SDK wheel, if one is vendored. */
  sdkVersion?: string;
  wheels: Wheel[];
  requirements: Requirement[];
  python: PythonNeed;
  /** The interpreter of this machine that can install it; absent when only one shipped with the package may. */
  interpreter?: { path: string; version: string };
  /** Number of entries in the archive. */
  entries: number;
  /** Size of the zip. */
  sizeBytes: number;
  /** Sum of the unpacked sizes of all entries. */
  unpackedBytes: number;
  checks: Check[];
  warnings: string[];
}

/** Bounds on what an archive may contain. */
export interface ArchiveLimits {
  /** @defaultValue 200_000 */
  maxEntries: number;
  /** @defaultValue 32 GiB */
  maxUnpackedBytes: number;
  /** @defaultValue 16 GiB */
  maxFileBytes: number;
  /** Unpacked to packed, for one entry larger than 1 MiB unpacked and for the whole. @defaultValue 200 */
  maxRatio: number;
}

/** Full report on a package, in the shape of the SDK's own. */
export interface ValidationReport {
  summary: { status: 'PASS' | 'FAIL'; passed: number; failed: number; skipped: number };
  checks: Check[];
  /** The first fault, as an install would reject with it. */
  error?: RunnerError;
  manifest?: Manifest;
  /** What the algorithm's `get_info()` answered. */
  info?: Record<string, unknown>;
}
