/**
 * Which failures there are, and the facts that go with each. It imports nothing, so that every room can use it.
 */

/**
 * The error codes and the number each carries on the wire, or `undefined` where no table gives one.
 * 2001 to 2007 are the package-management codes of the runner specification, 1000 to 1010 those of the
 * SDK's protocol adapter.
 */
export const ERROR_NUMBERS = {
  // package management
  /** Not a zip, cut off, damaged, hostile, past a limit, or not signed as the policy demands. */
  invalid_zip: '2001',
  /** The set of keys that packages must be signed with is expired, not signed by enough holders, or cannot be read. */
  untrusted_keys: undefined,
  /** No `manifest.json`. */
  manifest_missing: '2002',
  /** A `manifest.json` that is not JSON, or whose fields are not what they must be. */
  manifest_invalid: '2002',
  /** No interpreter of this machine takes the wheels, or has the version the package asks for. */
  incompatible_python: '2003',
  /** A requirement that no wheel of the package meets. */
  wheels_missing: '2004',
  /** The environment, pip or the smoke run failed. */
  install_failed: '2005',
  /** The product id is bound to another package. */
  activation_conflict: '2006',
  /** The version is active or in use by a live process. */
  unsafe_uninstall: '2007',
  /** This version is deployed already. */
  already_installed: '2005',
  /** A live process runs the version that is to be replaced. */
  version_in_use: '2007',
  /** No such package, version or active product id. */
  not_found: undefined,
  /** The version failed its trial after a switch and was taken back from the product id. */
  version_barred: undefined,
  // store
  /** Another process held the store or the version for too long. */
  lock_timeout: undefined,
  /** Another process works on the version: it cannot be checked now. */
  busy: undefined,
  /** The lock was taken over while it was held: this process was taken for dead. */
  lock_lost: undefined,
  /** A file of the store cannot be read, and not rebuilt either. */
  store_damaged: undefined,
  /** The system refused to read or write a file of the store. */
  store_failed: undefined,
  // worker and supervision
  /** The worker said no more than that it failed. */
  unknown: '1000',
  /** The version does not support the product id. */
  invalid_pid: '1001',
  /** The image does not have the bytes its size asks for. */
  invalid_image: '1002',
  /** An argument is not what it must be. */
  invalid_params: '1003',
  /** The algorithm was called before it was ready. */
  not_initialized: '1004',
  /** A call or a step took longer than its limit. */
  timeout: '1005',
  /** The worker stopped answering pings. */
  heartbeat_lost: '1006',
  /** The worker did not find the image it was called with. */
  frame_missing: '1007',
  /** The worker does not know the colour space. */
  unsupported_color_space: '1008',
  /** The algorithm raised. */
  execute_exception: '1009',
  /** The algorithm printed to stdout under an SDK that forbids it. */
  stdout_contaminated: '1010',
  /** The worker could not start, or the entry point could not be loaded. */
  start_failed: '1004',
  /** The worker died during the call. */
  worker_exited: undefined,
  /** The worker broke the protocol. */
  protocol_error: undefined,
  /** The result breaks the contract and is not passed on as a verdict. */
  contract_violation: undefined,
  /** More calls wait than the policy allows. */
  queue_full: undefined,
  /** The workers failed too often and are left alone for a while. */
  circuit_open: undefined,
  /** The memory of a device (GPU) was used up, at each attempt. */
  gpu_oom: '1004',
  /** The package has no such phase. */
  unsupported_phase: undefined,
  /** The worker cannot read this kind of image. */
  unsupported_image: '1002',
  // frames
  /** A frame was used or released after its release. */
  frame_released: undefined,
  /** No frame for the image: it is larger than the pool, or memory is short. */
  pool_full: undefined,
  /** A newer order for the same product id came before this one had changed anything. */
  superseded: undefined,
  // the plant and the platform
  /** No line to the server of the fleet, or to any source of a package, now. */
  unreachable: undefined,
  /** Nobody in the plant answers inspections of the product id. */
  no_responders: undefined,
  /** The server of the fleet refuses it to this user: an unknown user, or one without the permission. */
  denied: undefined,
  /** Another one wrote the same key first. */
  conflict: undefined,
  /** A word of the fleet that is not signed by a key the station knows, is for somebody else, or is older than one it has seen. */
  untrusted_state: undefined,
  /** No source has the package, or an entry of it. */
  source_missing: undefined,
  /** What a source has is not what was asked for. */
  digest_mismatch: undefined,
  /** The platform refuses a record or a picture for good; it is set aside with the reason. */
  undeliverable: undefined,
  /** A record of the outbox was removed, altered, swapped or added after its receipt. */
  untrusted_receipt: undefined,
  // everything
  /** The `signal` fired. The error's name is `AbortError`. */
  aborted: undefined,
  /** The object was closed, or the version stopped. */
  closed: undefined,
  /** This platform cannot do it. */
  unsupported_platform: undefined,
  /** A fault of this library itself, of neither the package nor the station nor the caller. */
  internal: undefined,
} as const;

/** The symbolic name of a failure. */
export type RunnerErrorCode = keyof typeof ERROR_NUMBERS;

/** One fault inside a structured document, such as a field of the manifest. */
export interface FieldIssue {
  /** Dotted path of the field, for example `steps.0.params.1.key`. */
  path: string;
  /** What is wrong with it. */
  message: string;
  /** The bound that a value passed, where it is one of a parameter. */
  bound?: unknown;
}

/** A process, as an operator finds it. */
export interface ProcessDetails {
  /** Name of its machine. */
  host: string;
  /** Its id there. */
  processId?: number;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  pid: number;
}

/** Facts that errors carry. Which of them an error of a code has, {@link RunnerErrorDetails} tells. */
export interface RunnerErrorFacts {
  /** The file, folder, archive entry, option or field at fault. */
  path?: string;
  /** Name of the package concerned. */
  name?: string;
  /** Version of the package concerned. */
  version?: string;
  /** Product ids concerned. */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** Where the operation stood: a stage, a phase or a state. */
  stage?: string;
  /** Last lines of a subprocess's output, oldest first. */
  output?: string[];
  /** Python traceback, when Python raised. */
  traceback?: string;
  /** Exit status of a process; null when a signal ended it. */
  exitCode?: number | null;
  /** Signal that ended a process; null when it left by itself. */
  exitSignal?: string | null;
  /** What failed after this failure, while the operation was undone: messages, oldest first. */
  alsoFailed?: string[];
  /** Faults inside a document, by path. */
  issues?: FieldIssue[];
  /** Wheels concerned, with the tags that they want. */
  wheels?: {
    /** File name of the wheel. */
    file: string;
    /** Tags it wants (PEP 425). */
    tags: string[];
  }[];
  /** Interpreters that were looked at, with the tags they accept. */
  interpreters?: {
    /** Absolute path of the executable. */
    path: string;
    /** For example `3.11.7`. */
    version: string;
    /** Tags it accepts. */
    tags: string[];
    /** Why it is not used. */
    reason?: string;
  }[];
  /** Executables that were found and are no usable interpreter. */
  unusable?: readonly {
    /** Absolute path of the executable. */
    path: string;
    /** Why it is not used. */
    reason: string;
  }[];
  /** Requirements that could not be met, as written. */
  requirements?: string[];
  /** Name of the archive entry at fault, cut where it is very long. */
  entry?: string;
  /** What was found about the signature of the package. */
  signature?: string;
  /** Bytes that the operation needs on the disk. */
  neededBytes?: number;
  /** Bytes that the disk has left. */
  availableBytes?: number;
  /** Files and folders that the operation makes. */
  neededFiles?: number;
  /** Files and folders that the file system can still take. */
  availableFiles?: number;
  /** Bytes in archives of pruned versions, which may go. */
  archiveBytes?: number;
  /** Limit that was reached, in milliseconds. */
  timeoutMs?: number;
  /** Least bytes a second that an upload must bring. */
  leastRate?: number;
  /** Who holds the lock that was waited for or lost; undefined when nobody does, or it has not said who it is yet. */
  holder?: ProcessDetails & {
    /** What it holds the lock for. */
    operation: string;
    /** ISO 8601, UTC. */
    acquiredAt: string;
  };
  /** Processes that have the version in use. */
  users?: readonly ProcessDetails[];
  /** Product ids that a rollback would take back to the version. */
  rollbackProductIds?: string[];
  /** Old name of `rollbackProductIds`. @deprecated use `rollbackProductIds`: it stays for one minor version */
  rollbackPids?: string[];
  /** Why the version was taken back from the product id. */
  reason?: string;
  /** The order that came later. */
  by?: string;
  /** The answer that broke the contract or reported the failure, as it came. */
  raw?: unknown;
  /** Whether the kernel ended the process because memory had run out. */
  isOutOfMemory?: boolean;
  /** Where in this library it was thrown. */
  stack?: string;
}

/** Names of the facts that an error of the code always has. */
interface CertainFacts {
  invalid_zip: 'path';
  untrusted_keys: 'path';
  manifest_missing: 'path';
  activation_conflict: 'name' | 'productIds';
  unsafe_uninstall: 'name' | 'version';
  already_installed: 'name' | 'version';
  version_in_use: 'name' | 'version';
  version_barred: 'name' | 'version' | 'productIds' | 'reason';
  lock_timeout: 'path' | 'timeoutMs';
  busy: 'name' | 'version';
  lock_lost: 'path';
  store_damaged: 'path';
  invalid_pid: 'name' | 'version' | 'productIds';
  timeout: 'timeoutMs';
  heartbeat_lost: 'timeoutMs' | 'output';
  frame_missing: 'path' | 'raw';
  execute_exception: 'stage' | 'raw';
  worker_exited: 'exitCode' | 'exitSignal' | 'output';
  contract_violation: 'path' | 'raw';
  unsupported_phase: 'stage';
  unsupported_color_space: 'path';
  pool_full: 'path';
  superseded: 'productIds' | 'by';
  no_responders: 'productIds';
  conflict: 'path';
  untrusted_state: 'path' | 'reason';
  source_missing: 'name' | 'version';
  digest_mismatch: 'name' | 'version';
  undeliverable: 'reason';
  untrusted_receipt: 'path' | 'reason';
}

/** Names of the facts that an error of the code always has. */
type Certain<Code> = Code extends keyof CertainFacts ? CertainFacts[Code] : never;

/**
 * The facts that an error of a code always has. As an index, not as a condition: an error of one code is an error of any,
 * which the compiler does not see through a condition.
 */
export type CertainDetails = {
  [Code in RunnerErrorCode]: { [Fact in Certain<Code>]-?: Exclude<RunnerErrorFacts[Fact], undefined> };
};

/**
 * Facts that go with a code: of `timeout` there is always `timeoutMs`, of `superseded` the order that came later. The other
 * facts may be there.
 */
export type RunnerErrorDetails<C extends RunnerErrorCode = RunnerErrorCode> = RunnerErrorFacts &
  CertainDetails[C];

/** Names of the facts that an error of any code may have. */
type CommonFact =
  | ('path' | 'name' | 'version' | 'productIds' | 'pids' | 'stage')
  | ('output' | 'traceback' | 'exitCode' | 'exitSignal' | 'alsoFailed');

/** Facts that an error of the code may have, besides those that any may have. */
interface PossibleFacts {
  invalid_zip: 'entry' | 'signature' | 'wheels';
  manifest_invalid: 'issues';
  invalid_params: 'issues';
  incompatible_python: 'wheels' | 'interpreters' | 'unusable' | 'requirements';
  wheels_missing: 'wheels' | 'requirements';
  install_failed: 'issues' | 'interpreters' | 'requirements' | 'wheels';
  unsafe_uninstall: 'users' | 'rollbackProductIds' | 'rollbackPids';
  version_in_use: 'users';
  not_found: 'entry' | 'reason';
  lock_timeout: 'holder';
  busy: 'holder';
  lock_lost: 'holder';
  store_failed: 'neededBytes' | 'availableBytes' | 'neededFiles' | 'availableFiles' | 'archiveBytes';
  timeout: 'leastRate';
  start_failed: 'raw' | 'isOutOfMemory';
  worker_exited: 'isOutOfMemory';
  contract_violation: 'issues';
  gpu_oom: 'raw';
  internal: 'stack';
}

/** Names of the facts that an error of the code may have, besides the common ones. */
type Possible<Code> = Code extends keyof PossibleFacts ? PossibleFacts[Code] : never;

/** What an error of the code is made with: the facts that it always has, those that it may have, and no other. */
export type GivenDetails<C extends RunnerErrorCode> = [RunnerErrorCode] extends [C]
  ? RunnerErrorFacts
  : C extends RunnerErrorCode
    ? CertainDetails[C] & Pick<RunnerErrorFacts, Exclude<CommonFact | Possible<C>, Certain<C>>>
    : never;
