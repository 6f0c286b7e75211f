/**
 * Every failure of the library: one closed union of codes, one class, one brand.
 * This module imports nothing, so that every room can use it.
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
  /** The environment, pip, the smoke run or the disk failed. */
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

/** Facts that go with a code. Every key is optional: an error carries what was known where it arose. */
export interface RunnerErrorDetails {
  /** The file, folder or archive entry at fault. */
  path?: string;
  /** Name of the package concerned. */
  name?: string;
  /** Version of the package concerned. */
  version?: string;
  /** Product ids concerned. */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** Faults inside a document, by path. */
  issues?: FieldIssue[];
  /** Wheels concerned, with the tags that were wanted. */
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
  }[];
  /** Requirements that could not be met, as written. */
  requirements?: string[];
  /** Last lines of a subprocess's output, oldest first. */
  output?: string[];
  /** Python traceback, when Python raised. */
  traceback?: string;
  /** Exit status of a process. */
  exitCode?: number | null;
  /** Signal that ended a process. */
  exitSignal?: string | null;
  /** Limit that was reached, in milliseconds. */
  timeoutMs?: number;
  /** Who holds the lock that was waited for or lost; undefined when nobody does, or it has not said who it is yet. */
  holder?: ProcessDetails & {
    /** What it holds the lock for. */
    operation: string;
    /** ISO 8601, UTC. */
    acquiredAt: string;
  };
  /** Processes that have the version in use. */
  users?: readonly ProcessDetails[];
  /** The answer that broke the contract, as it came. */
  raw?: unknown;
  /** Where the operation stood: a stage, a phase or a state. */
  stage?: string;
  /** What failed after this failure, while the operation was undone: messages, oldest first. */
  alsoFailed?: string[];
  /** Further facts of the code. */
  [key: string]: unknown;
}

/** A failure whose code is known. */
export type RunnerErrorOf<C extends RunnerErrorCode> = RunnerError & {
  /** Which failure. */
  readonly code: C;
};

/** What a {@link RunnerError} is made from besides code and message. */
export interface RunnerErrorOptions {
  /** The error behind this one. */
  cause?: unknown;
  /** Facts that go with the code. */
  details?: RunnerErrorDetails;
  /** Whether the same call may succeed if made again unchanged. @defaultValue by code */
  retryable?: boolean;
  /** Number as a worker sent it, where it differs from the table. */
  errorCode?: string;
}

const BRAND = Symbol.for('procvision-runner.RunnerError');

/** `util.inspect.custom`: how the REPL, `console.log` and uncaught errors are shown. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** The code before the message, then where, then the facts: tracebacks and output line by line, as they were written. */
function show(
  this: RunnerError,
  depth: number | null,
  options: object,
  inspect: (value: unknown, options: object) => string,
): string {
  const { name, code, errorCode, message, stack = '', details, cause, retryable } = this;
  const head = `${name} [${code}${errorCode === undefined ? '' : ` ${errorCode}`}]: ${message}`;
  if (depth !== null && depth < 0) return head;
  const { traceback, output, ...rest } = details;
  // Lists such as the tags of an interpreter have hundreds of items: a few tell what they are.
  const inner = { ...options, depth: depth === null ? null : depth - 1, maxArrayLength: 6 };
  const facts = [
    ...(retryable ? ['may succeed if tried again'] : []),
    ...(Object.keys(rest).length > 0 ? [`details: ${inspect(rest, inner)}`] : []),
    ...(output && output.length > 0 ? [`output:\n${output.join('\n')}`] : []),
    ...(traceback === undefined ? [] : [`traceback:\n${traceback.trimEnd()}`]),
    ...(cause === undefined ? [] : [`cause: ${inspect(cause, inner)}`]),
  ];
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return [head, ...frames, ...facts.map((fact) => `  ${fact.replaceAll('\n', '\n    ')}`)].join('\n');
}

/** Product ids and processes under both their names. */
function withBothNames(details: RunnerErrorDetails): RunnerErrorDetails {
  const given: { productIds?: string[]; pids?: string[] } = details;
  const productIds = given.productIds ?? given.pids;
  if (productIds) Object.assign(given, { productIds, pids: given.pids ?? productIds });
  if (details.holder) details.holder = numbered(details.holder);
  if (details.users) details.users = details.users.map(numbered);
  return details;
}

/** A process with its id under both names: in files it is `pid`. */
function numbered<T extends { pid: number }>(process: T): T & { processId: number } {
  return { ...process, processId: process.pid };
}

const RETRYABLE: ReadonlySet<RunnerErrorCode> = new Set<RunnerErrorCode>([
  'lock_timeout',
  'busy',
  'timeout',
  'heartbeat_lost',
  'worker_exited',
  'queue_full',
  'pool_full',
]);

/**
 * Every failure of this library.
 *
 * `name` is `'RunnerError'`, except for `code: 'aborted'`, whose name is `'AbortError'` as the platform's is.
 * `errorCode` is the number of the specifications (`'2001'` for `invalid_zip`), where there is one.
 */
export class RunnerError extends Error {
  /** What failed, as a symbolic name. */
  readonly code: RunnerErrorCode;
  /** Number of the specifications, where there is one. */
  readonly errorCode: string | undefined;
  /** Facts that go with the code. */
  readonly details: RunnerErrorDetails;
  /** Whether the same call may succeed if made again unchanged. */
  readonly retryable: boolean;

  constructor(code: RunnerErrorCode, message: string, options: RunnerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code === 'aborted' ? 'AbortError' : 'RunnerError';
    this.code = code;
    this.errorCode = options.errorCode ?? ERROR_NUMBERS[code];
    this.details = withBothNames(options.details ?? {});
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    Object.defineProperty(this, BRAND, { value: true });
    Object.defineProperty(this, INSPECT, { value: show });
  }

  /**
   * Whether `value` is a RunnerError (of the given code), also across the ESM and the CJS copy of the library,
   * where `instanceof` fails.
   */
  static is<C extends RunnerErrorCode>(value: unknown, code?: C): value is RunnerErrorOf<C> {
    return (
      typeof value === 'object' &&
      value !== null &&
      (value as Record<symbol, unknown>)[BRAND] === true &&
      (code === undefined || (value as RunnerError).code === code)
    );
  }

  /** Plain data for logs and problem documents: everything but the stack. */
  toJSON(): Record<string, unknown> {
    return {
      name: this.name,
      code: this.code,
      error_code: this.errorCode,
      message: this.message,
      retryable: this.retryable,
      details: this.details,
    };
  }
}

/**
 * The failure that came first, of two: what follows from a failure must not hide it. The later one is named in
 * `details.alsoFailed`, which {@link asStoreError} keeps for an error of the system.
 */
export function withLater<T>(first: T, later: unknown): T {
  if (!(first instanceof Error)) return first;
  const told = first as { details?: RunnerErrorDetails };
  const { alsoFailed = [] } = told.details ?? {};
  const more = [...alsoFailed, later instanceof Error ? later.message : String(later)];
  if (told.details) told.details.alsoFailed = more;
  else Object.assign(first, { details: { alsoFailed: more } });
  return first;
}

/** The failure itself, out of what `await using` makes of it when a disposal fails too ("An error was suppressed…"). */
export function firstFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'SuppressedError') return error;
  const { error: later, suppressed } = error as Error & { error?: unknown; suppressed?: unknown };
  return withLater(firstFailure(suppressed), later);
}

/**
 * Any failure as a RunnerError. A failure without a code of this library or of the system is a bug of this library: it is
 * reported as such, and never as a fault of the package, of the station or of the caller.
 *
 * @param doing - `install x 1.0.0`, for the message
 */
export function asFailure(error: unknown, doing: string): RunnerError {
  if (RunnerError.is(error)) return error;
  const { message = String(error), stack } = error instanceof Error ? error : {};
  return new RunnerError(
    'internal',
    `Could not ${doing}: ${message}. This is a fault of procvision-runner, not of the package, the station or the call. ` +
      'Try again, and report it with details.stack',
    { cause: error, details: { stack } },
  );
}
