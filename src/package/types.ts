import type { RunnerError } from '../errors.js';

/** How a package is called: `phased` has `pre_execute` and `execute`, `execute-only` (SDK 0.3 and later) just `execute`. */
export type Generation = 'phased' | 'execute-only';

/** Which version of which package. */
export interface VersionRef {
  /** Of the package, as its manifest has it. */
  name: string;
  /** As its manifest has it. */
  version: string;
}

/** A parameter of a step, as the manifest declares it. */
export interface StepParameter {
  /** Name it goes by in the call's parameters. */
  key: string;
  /** `int`, `float`, `rect`, `enum`, `bool` or `string`. */
  type: string;
  /** Value without another one. */
  default?: unknown;
  /** Smallest value. */
  min?: number;
  /** Largest value. */
  max?: number;
  /** Fewest characters of a `string`. */
  min_length?: number;
  /** Most characters of a `string`. */
  max_length?: number;
  /** Regular expression of Python that the whole of a `string` must match. */
  pattern?: string;
  /** Values of an `enum`. */
  choices?: unknown[];
  /** For people. */
  unit?: string;
  /** Whether it must be given. */
  required?: boolean;
  /** For people. */
  description?: string;
}

/** One inspection step, as the manifest declares it. */
export interface ManifestStep {
  /** From 1. */
  index: number;
  /** For people. */
  name: string;
  /** What it can be set to. */
  params?: StepParameter[];
}

/** `manifest.json` of a package. Unknown fields are kept, at each level: `manifest as Manifest & { line: string }`. */
export interface Manifest {
  /** Name of the package; a folder name too. */
  name: string;
  /** Version of the package; a folder name too. */
  version: string;
  /** `module.path:ClassName` */
  entry_point: string;
  /** Absent only for the execute-only generation. */
  supported_pids?: string[];
  /** For people. */
  description?: string;
  /** What the algorithm inspects, step by step. */
  steps?: ManifestStep[];
  /** Files that the algorithm needs, as the manifest has them. */
  required_assets?: unknown;
  /** Paths by kind, for product ids that `required_assets` does not name, as the manifest has them. */
  default_config?: unknown;
  /** Interpreter that is wanted, as written. */
  python_version?: string;
  /**
   * Formats of more than 8 bits that the algorithm takes as they are, by their PFNC names: `Mono16` for every gray one, or
   * `Mono10`, `Mono12`, `Mono14`, `Mono10p`, `Mono12p`. Under the bundled worker it gets uint16 of shape (height, width) for
   * them. Other names have no effect.
   */
  image_formats?: string[];
}

/** One wheel file, known by its name (PEP 427). */
export interface Wheel {
  /** File name, without folder. */
  file: string;
  /** Normalised project name (PEP 503): `pillow`, `opencv-python`. */
  name: string;
  /** As in the file name (PEP 440). */
  version: string;
  /** Build tag, if the name has one. */
  build?: string;
  /** Expanded tags, for example `cp311-cp311-manylinux_2_17_x86_64` (PEP 425). */
  tags: string[];
  /** Bytes of the file. */
  sizeBytes: number;
  /** Sum of the unpacked sizes of its entries, where it was looked into. */
  unpackedBytes?: number;
  /** How many files and folders it unpacks to, where it was looked into. */
  files?: number;
  /** Its software bills of materials, paths within the wheel (PEP 770); absent where it has none. */
  sboms?: string[];
  /** What it is imported as, where its METADATA says so: `Import-Name` and `Import-Namespace` (PEP 794), private ones left out. */
  importNames?: string[];
  /** Its modules that are byte code alone, paths within the wheel: they are not installed; absent where it has none. */
  sourceless?: string[];
}

/** One line of a requirements file, read as PEP 508. */
export interface Requirement {
  /** As written, without comment and options. */
  text: string;
  /** Normalised project name. */
  name: string;
  /** Names in brackets after the project's. */
  extras: string[];
  /** Version specifiers, for example `>=1.2,<2`; empty when any version will do. */
  specifier: string;
  /** Environment marker, after `;`. */
  marker?: string;
  /** Hashes demanded by `--hash=sha256:…`, lower-case hex; others with their algorithm, `sha512:…`. */
  hashes: string[];
  /** File name of the wheel that a URL with a hash refers to, `project @ file:///…/name.whl#sha256=…`. */
  wheel?: string;
  /** Where it stands in its file, from 1. */
  line: number;
}

/** What a package says about the interpreter it wants. */
export interface PythonNeed {
  /** From the manifest, `.procvision_env.json` or `deploy_bootstrap.json`, as written. */
  pythonVersion?: string;
  /** For example `cp` or `cpython`, as written. */
  implementation?: string;
  /** For example `cp311`, as written. */
  abi?: string;
  /** Platform of the wheels, as written. */
  platform?: string;
  /** Entry name of an interpreter shipped with the package. */
  embedded?: string;
}

/** Result of one check of a package. */
export interface Check {
  /** Stable name, as in the SDK's own report: `manifest_exists`, `entry_import`… */
  name: string;
  /** How it came out. */
  result: 'PASS' | 'FAIL' | 'SKIP';
  /** What was found, for people. */
  message: string;
  /** Wall time in milliseconds. */
  durationMs: number;
}

/** What came of one of the boundary cases that a trial run can show to an algorithm. */
export interface BoundaryCase {
  /** In the table of the specification (0.2.1). */
  number: number;
  /** The case. */
  title: string;
  /** Who has to handle it. */
  owedBy: readonly ('algorithm' | 'worker' | 'host')[];
  /** Number of the runner's table that the specification gives to it. */
  errorCode?: string;
  /** How it came out; `SKIP`: it does not exist for this package, or cannot be shown here. */
  result: 'PASS' | 'FAIL' | 'SKIP';
  /** What was seen, for people. */
  message: string;
}

/** What a package is, as read from its central directory and its small text entries alone. */
export interface PackageInspection {
  /** From the manifest. */
  name: string;
  /** From the manifest. */
  version: string;
  /** The whole manifest. */
  manifest: Manifest;
  /** Protocol generation of the package, decided by its SDK wheel. */
  generation: Generation;
  /** Version of the vendored SDK wheel, if one is vendored. */
  sdkVersion?: string;
  /** In the order of the archive. */
  wheels: Wheel[];
  /** Of `requirements.txt` and the files it includes. */
  requirements: Requirement[];
  /** The interpreter it wants. */
  python: PythonNeed;
  /** The interpreter of this machine that can install it; absent when only one shipped with the package may. */
  interpreter?: {
    /** Absolute path of the executable. */
    path: string;
    /** For example `3.11.7`. */
    version: string;
  };
  /** Modules of the project that are byte code alone, by name in the archive: left out; absent where there are none. */
  sourceless?: string[];
  /** Number of entries in the archive. */
  entries: number;
  /** Size of the zip. */
  sizeBytes: number;
  /** Sum of the unpacked sizes of all entries. */
  unpackedBytes: number;
  /** What was checked, in order. */
  checks: Check[];
  /** What is odd and no fault, for people. */
  warnings: string[];
}

/**
 * Encodings of names in a zip: `gbk`, `shift_jis`, `big5`, `euc-kr` and `ibm866` are the code pages 936, 932, 950, 949 and
 * 866 of Windows.
 */
export type NameEncoding =
  | 'utf-8'
  | 'gbk'
  | 'shift_jis'
  | 'big5'
  | 'euc-kr'
  | 'ibm866'
  | 'cp437'
  | 'windows-1252'
  | 'windows-1251'
  | 'koi8-r';

/**
 * Bounds on what an archive may contain: a package, each wheel in it by itself, and its wheels together (which may
 * have as many entries and unpack to as many bytes as an archive may).
 */
export interface ArchiveLimits {
  /** Entries, folders included. @defaultValue 200_000 */
  maxEntries: number;
  /** All entries together, unpacked. @defaultValue 32 GiB */
  maxUnpackedBytes: number;
  /** One entry, unpacked. @defaultValue 16 GiB */
  maxFileBytes: number;
  /** Unpacked to packed, of an archive that unpacks to more than 1 GiB. @defaultValue 200 */
  maxRatio: number;
}

/** Full report on a package, in the shape of the SDK's own. */
export interface ValidationReport {
  /** The checks counted. */
  summary: {
    /** `FAIL` when at least one check failed. */
    status: 'PASS' | 'FAIL';
    /** Checks that passed. */
    passed: number;
    /** Checks that failed. */
    failed: number;
    /** Checks that do not apply or could not be made. */
    skipped: number;
  };
  /** In order. */
  checks: Check[];
  /** The first fault, as an install would reject with it. */
  error?: RunnerError;
  /** Where it could be read. */
  manifest?: Manifest;
  /** What the algorithm's `get_info()` answered. */
  info?: Record<string, unknown>;
  /** What is odd and no fault, for people; absent when there is nothing. */
  warnings?: string[];
  /** Boundary cases of the specification that the trial run showed to the algorithm; absent when it came to none. */
  boundaryCases?: BoundaryCase[];
}

/** How to pack a project. */
export interface PackOptions {
  /** Folder of the wheels to deliver. @defaultValue `wheels` in the project folder */
  wheels?: string;
  /** Deflate what shrinks by it, up to 16 MiB a file; the rest is stored. @defaultValue true */
  compress?: boolean;
}
