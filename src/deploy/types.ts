import type { OperationOptions } from '../abort.js';
import type { RunnerError, RunnerErrorCode } from '../errors.js';
import type { Check, NameEncoding, VersionRef } from '../package/types.js';
import type { PackageState, RegistryEntry } from '../registry/types.js';

/** What a {@link Deployer} can be doing to a version. */
export type DeployOperation = 'install' | 'uninstall' | 'prune' | 'restore';

/**
 * Where an operation stands. An install goes through `receive` (uploads only), `inspect`, `space`, `unpack`,
 * `environment`, `smoke`, `seal`, `publish`, `register`, a restore too; an uninstall through `remove`.
 */
export type DeployStage =
  | 'receive'
  | 'inspect'
  | 'space'
  | 'unpack'
  | 'environment'
  | 'smoke'
  | 'seal'
  | 'publish'
  | 'register'
  | 'remove';

/** What every event of one operation carries. */
export interface OperationRef {
  /** Tells operations apart that run side by side: as given in the options, else random. */
  id: string;
  /** What is being done. */
  operation: DeployOperation;
  /** Of the package; undefined until it has been read. */
  name?: string;
  /** As `name`. */
  version?: string;
}

/** An operation entered a stage. */
export interface StageEvent extends OperationRef {
  /** The stage that begins. */
  stage: DeployStage;
}

/** How far an operation is. */
export interface DeployerProgressEvent extends OperationRef {
  stage: DeployStage;
  /** Bytes received, unpacked, installed and sealed so far, of the whole operation; never falls. */
  doneBytes: number;
  /** What `doneBytes` grows to: 0, or `sizeBytes` of a stream, until the contents of the package are known. */
  totalBytes: number;
  /** Of the whole operation, 0 to 1, never falls; 1 exactly once, at the end. */
  fraction: number;
}

/** One check of a package that is being installed; `name` is the check's. */
export interface CheckEvent extends Check {
  /** Of the operation. */
  id: string;
  /** What the check belongs to. */
  operation: DeployOperation;
  package: VersionRef;
}

/** A version was installed. */
export interface InstalledEvent extends OperationRef {
  /** The version, as the registry holds it now. */
  entry: RegistryEntry;
  /** Whether it took the place of an earlier deployment of the same version. */
  replaced: boolean;
  /** What is odd about the package and its wheels and kept nothing from being installed, for people; each once. */
  warnings: string[];
}

/** A package was refused. */
export interface InvalidEvent extends OperationRef {
  /** Absolute path of the zip; undefined for an upload. */
  path?: string;
  /** What is wrong with the package. */
  error: RunnerError;
}

/** An operation is over. */
export interface EndedEvent extends OperationRef {
  /** Why it failed; undefined where it did what it was asked for. */
  error: RunnerError | undefined;
}

/** Something failed that no caller waits for. */
export interface DeployerErrorEvent extends OperationRef {
  /** Why it failed. */
  error: RunnerError;
}

/** The byte code of a version was made, while it was installed. */
export interface CompiledEvent extends VersionRef {
  /** Sources that were compiled: those that the trial run has imported. */
  files: number;
  /** Sources that were not compiled for want of time: at most a quarter of the install's time is spent. */
  left: number;
  /** Wall time in milliseconds. */
  durationMs: number;
}

/** Events of a {@link Deployer}. */
export interface DeployerEvents {
  /** A package that was not known before is whole in `zips/`. */
  discovered: [found: DiscoveredPackage];
  /** An operation entered a stage. */
  stage: [event: StageEvent];
  /** An operation has got on. */
  progress: [event: DeployerProgressEvent];
  /** A package that is being installed has passed a check, or not. */
  check: [event: CheckEvent];
  /** A version is deployed and registered. */
  installed: [event: InstalledEvent];
  /** A package was refused for a fault of its own. */
  invalid: [event: InvalidEvent];
  /** An operation that had stages is over, whatever came of it: its last event but for those that tell the outcome. */
  ended: [event: EndedEvent];
  /** The byte code of a version that is being installed was made (see `compileBytecode`). */
  compiled: [event: CompiledEvent];
  /** A version is gone. */
  uninstalled: [event: OperationRef];
  /** Versions past the retention are gone. */
  pruned: [report: PruneReport];
  /** What an earlier host left half done was finished or undone. */
  recovered: [report: RecoveryReport];
  /** Something failed that no caller waits for: an install of a watched folder, an automatic prune, compiling. */
  error: [event: DeployerErrorEvent];
}

/** Options every operation takes. */
export interface DeployOptions extends OperationOptions {
  /** Who asked, for the audit log. */
  operator?: string;
  /** Goes into every event of the operation. @defaultValue a random UUID */
  id?: string;
}

/** Options of `install`. */
export interface InstallOptions extends DeployOptions {
  /** Replace a version that is installed already. @defaultValue false */
  force?: boolean;
  /** File name of a stream as its sender calls it. Failures name it. @defaultValue 'the upload' */
  fileName?: string;
  /** Bytes of a stream, where its sender has told: its progress counts by them. They are not checked. @defaultValue unknown */
  sizeBytes?: number;
  /** Encoding of names in the zip that do not declare one. @defaultValue detected from the names themselves */
  nameEncoding?: NameEncoding;
  /**
   * Names of files of wheels, such as `*.bin`, that this version gets a copy or a clone of, never a second name of one file:
   * some readers of models refuse that. Kept with the version: for `force` and `restore` it holds on.
   * @defaultValue `ownFiles` of the version's policy, else as it was deployed before; those of `VenvManager` are always added
   */
  ownFiles?: readonly string[];
  /** Marks a package that was packed on this machine from a project folder, as `origin` of its entry. @defaultValue none */
  origin?: 'local';
}

/** Options of `uninstall`. */
export interface UninstallOptions extends DeployOptions {
  /**
   * Remove the version although it is active or running, or what a rollback would go back to; its product ids are left
   * without one. @defaultValue false
   */
  force?: boolean;
  /** Also remove a version that a rollback of a product id would go back to. @defaultValue false */
  alsoRollbackTargets?: boolean;
  /** Only say whether it could be removed. @defaultValue false */
  dryRun?: boolean;
}

/** Options of `prune`. */
export interface PruneRequest extends DeployOptions {
  /** Prune this name only. @defaultValue every name */
  name?: string;
  /** Only report what would go. @defaultValue false */
  dryRun?: boolean;
}

/** Options of `recover`. */
export interface RecoverOptions extends OperationOptions {
  /** Only report what would be done. @defaultValue false */
  dryRun?: boolean;
}

/** A look at `zips/` that is repeated until it is closed. */
export interface Watch extends AsyncDisposable {
  /** Ends it; resolves when the look that is under way has ended. */
  close(): Promise<void>;
}

/** How many versions are kept, and what becomes of the others. */
export interface Retention {
  /** Versions kept of each name, newest first. @defaultValue 3 */
  keep?: number;
  /**
   * `delete` removes a version; `archive` moves it, without its environment, to `algorithms/.archive/<name>/<version>`.
   * @defaultValue 'delete'
   */
  action?: 'archive' | 'delete';
  /** Prune a name after each install of it. @defaultValue false */
  automatic?: boolean;
  /** Bounds on archived versions; each prune removes what is past them, the oldest first. @defaultValue none */
  archives?: ArchiveRetention;
}

/** How much is kept of versions that were archived. */
export interface ArchiveRetention {
  /** Archives of each name, newest first. @defaultValue all */
  keep?: number;
  /** Days since it was archived. @defaultValue no limit */
  maxAgeDays?: number;
  /** Bytes of all archives together. @defaultValue no limit */
  maxBytes?: number;
}

/** An archive that `prune` removed. */
export interface RemovedArchive extends VersionRef {
  /** Bytes of disk that became free. */
  freedBytes: number;
}

/** Modes and owner of what is deployed (POSIX; Windows knows only read-only or not). */
export interface Permissions {
  /** Whether a deployed version is sealed at all. @defaultValue true */
  seal?: boolean;
  /** Mode of files; those that are executable keep that, for everyone who may read. @defaultValue 0o444 */
  fileMode?: number;
  /**
   * Mode of folders. Nobody may write to `__pycache__` folders. @defaultValue 0o755
   */
  folderMode?: number;
  /** Owner of everything deployed; needs the right to give files away. @defaultValue the host's own */
  uid?: number;
  /** Group of everything deployed. */
  gid?: number;
}

/** Why a package or version is `invalid`: an error as plain data. */
export interface InvalidReason {
  code: RunnerErrorCode;
  /** Number of the code, where there is one. */
  errorCode?: string;
  /** The thing, the fault and the remedy, for people. */
  message: string;
}

/** One package that stands in `zips/` or `deployed/`. */
export interface DiscoveredPackage {
  /** Where it stands. */
  source: 'zip' | 'deployed';
  /** Absolute path of the zip or of the version's folder. */
  path: string;
  /** From the manifest or the registry; undefined where neither can be read. */
  name?: string;
  /** As `name`. */
  version?: string;
  /**
   * A zip is `discovered` while it is being written (then `settling` is true), `validated` once inspected, `deployed`
   * when this very file is what is deployed, or `invalid`; a deployed version has the state of the registry.
   */
  state: PackageState;
  /**
   * The file cannot be read yet: it is still growing or was written a moment ago, or the system refuses to read it (then
   * `reason` says how). It is looked at again by the next scan.
   */
  settling: boolean;
  /** Of the zip; of a deployed version as the registry has it. */
  sizeBytes: number;
  /** Another process works on this version now; its state is that of the registry. */
  busy?: {
    /** Name of its machine. */
    host: string;
    /** Its process id there. */
    processId: number;
    /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
    pid: number;
    operation: string;
  };
  /** When state is `invalid`, or the system refuses to read the file. */
  reason?: InvalidReason;
}

/** What `prune` did to one version. */
export interface PrunedVersion {
  /** The package's name. */
  name: string;
  /** The version that went. */
  version: string;
  /** What became of it. */
  action: 'archive' | 'delete';
  /** Bytes of disk that became free. */
  freedBytes: number;
  /** Where it was archived. */
  archive?: string;
}

/** A version that `prune` would have removed by its age. */
export interface KeptVersion extends VersionRef {
  /** `rollback`: a product id would go back to it. `busy`: another process is working on it. */
  reason: 'active' | 'running' | 'rollback' | 'busy';
}

/** What `prune` did. */
export interface PruneReport {
  /** Versions that went. */
  pruned: PrunedVersion[];
  /** Versions past the count that were kept, and why. */
  kept: KeptVersion[];
  /** Archives of earlier prunes that went. */
  archives: RemovedArchive[];
  /** Bytes of unpacked wheels that no environment uses any more. */
  wheelBytes: number;
  /** All in all. */
  freedBytes: number;
}

/** What was cut off; `receive` is an upload, `unknown` died before it wrote what it was. */
export type InterruptedOperation = 'install' | 'uninstall' | 'receive' | 'unknown';

/** What `recover` did about one interrupted operation. */
export interface RecoveredOperation {
  /** As in the events of the operation. */
  id: string;
  /** What was cut off. */
  operation: InterruptedOperation;
  /** Of the package, where the operation had got to know it. */
  name?: string;
  /** As `name`. */
  version?: string;
  /** `completed`: it had been committed and was finished. `undone`: the state before it stands again. */
  outcome: 'completed' | 'undone';
}

/** Something that `recover` had to leave as it is. */
export interface SkippedRecovery {
  /** Absolute path of what could not be put right. */
  path: string;
  /** Why. */
  error: RunnerError;
}

/** What `recover` found and did. */
export interface RecoveryReport {
  /** Operations of hosts that are dead. */
  recovered: RecoveredOperation[];
  /** Operations of hosts that are alive, left alone. */
  busy: Omit<RecoveredOperation, 'outcome'>[];
  /**
   * Always empty.
   *
   * @deprecated environments name no place, and need no repair after a move: it stays for one minor version
   */
  repaired: VersionRef[];
  /** What could not be removed, and versions whose interpreter is gone. It stays as it is; the rest was done. */
  skipped: SkippedRecovery[];
  /** Wall time in milliseconds. */
  durationMs: number;
}

/** A file that is not as it was sealed. */
export interface DriftedFile {
  /** Relative to the version's folder, with `/`; absolute for the Python that its environment was made from. */
  path: string;
  /** What happened to it. That Python is `changed` when it is of another minor version. */
  kind: 'changed' | 'missing' | 'added';
}

/** What `verify` found. */
export interface DriftReport {
  /** The package's name. */
  name: string;
  /** The version that was looked at. */
  version: string;
  /** Whether nothing drifted. */
  intact: boolean;
  /** Files that were looked at. */
  files: number;
  /** Bytes that were read. */
  bytes: number;
  /** What is not as it was, by path. */
  drift: DriftedFile[];
  /** Wall time in milliseconds. */
  durationMs: number;
}
