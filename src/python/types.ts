import type { ArchiveLimits, Wheel } from '../package/types.js';
import type { Durability } from '../store/atomic-file.js';

/** A Python found on this machine. */
export interface Interpreter {
  /** Absolute path of the executable. */
  path: string;
  /** For example `3.11.7`. */
  version: string;
  /** `cpython`, `pypy`… */
  implementation: string;
  /** For example `cp311`. */
  abi: string;
  /** For example `linux_x86_64`. */
  platform: string;
  /** Every wheel tag it accepts (PEP 425, 600), for example `cp311-cp311-manylinux_2_17_x86_64`, best first. */
  tags: ReadonlySet<string>;
  /** Whether it reads wheels with entries compressed by Zstandard: since Python 3.14 (PEP 784). @defaultValue false */
  readsZstandard?: boolean;
}

/** A virtual environment on disk. */
export interface Venv {
  /** Folder of the environment. */
  dir: string;
  /** Absolute path of its interpreter: `bin/python`, on Windows `Scripts\python.exe`. */
  python: string;
  /** Absolute path of its site-packages (purelib). */
  sitePackages: string;
  /** What it was made with. */
  interpreter: Interpreter;
  /** Where it will stand in the end, when that is not `dir`: what is compiled in it names this place. */
  finalDir?: string;
}

/** What {@link VenvManager.install} installs from. */
export interface InstallFrom {
  /** Folder of the wheels. */
  wheels: string;
  /** The requirements file. */
  requirements: string;
  /** Names of files that get no second name, beside those of the manager's own option `ownFiles`. @defaultValue none */
  ownFiles?: readonly string[];
  /** What each wheel that is unpacked into the store is held to. @defaultValue `DEFAULT_ARCHIVE_LIMITS` */
  limits?: Partial<ArchiveLimits>;
  /**
   * The unpacked wheels that the environment shares with others, in place of those of the manager.
   * @internal
   */
  shared?: {
    /** Their folder. */
    readonly root: string;
    /** Whether each is on the disk before it is used. */
    readonly durability: Durability;
  };
  /**
   * SHA-256 (hex) of wheels that were hashed while they were written, by file name: they are not read once more for it.
   * @internal
   */
  hashes?: ReadonlyMap<string, string>;
}

/** What {@link VenvManager.install} did. */
export interface InstallReport {
  /** How the wheels got there: unpacked by pip, or linked from the store of unpacked wheels. */
  installer: 'pip' | 'link';
  /** What is in the environment now. */
  installed: {
    /** Normalised project name. */
    name: string;
    /** PEP 440. */
    version: string;
    /** Wheel it came from. */
    file?: string;
  }[];
  /** What is odd about the wheels and does not keep them from being used: files of two of them, RECORDs that are wrong. */
  warnings: string[];
  /** Wall time in milliseconds. */
  durationMs: number;
}

/** What an interpreter is wanted for. */
export interface InterpreterNeed {
  /** For each project among them, at least one must fit. */
  wheels?: readonly Wheel[];
  /** As a package writes it: `3.11`, `3.11.7`, `>=3.8,<3.12`. */
  pythonVersion?: string;
  /**
   * Path of an interpreter that was found to take all that is required, by the requirements themselves: it is used,
   * if it is there and has the version, without holding every wheel against it.
   */
  compatible?: string;
  /** An interpreter on disk that ships with the package, or the folder it lies in; looked at first. */
  embedded?: string;
}

/** A line of a subprocess. */
export interface VenvOutputEvent {
  /** Without its end. */
  line: string;
  /** Where it was written. */
  stream: 'stdout' | 'stderr';
  /** Folder of the environment. */
  venv: string;
}

/** How far an installation is. */
export interface VenvProgressEvent {
  /** Folder of the environment. */
  venv: string;
  /** What it is busy with. */
  stage: VenvStage;
  /** Never falls, and reaches `totalBytes` on success. */
  doneBytes: number;
  /** What `doneBytes` grows to, as far as known. */
  totalBytes: number;
  /** Of the whole, 0 to 1; never falls. */
  fraction: number;
}

/** Events of {@link VenvManager}. */
export interface VenvManagerEvents {
  /** A line a subprocess wrote. */
  output: [event: VenvOutputEvent];
  /** Bytes of the whole operation; `doneBytes` never falls, and reaches `totalBytes` on success. */
  progress: [event: VenvProgressEvent];
}

/** What an installation is busy with. */
export type VenvStage = 'resolve' | 'unpack' | 'install' | 'verify';
