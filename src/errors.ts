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
  invalid_zip: '2001',
  manifest_missing: '2002',
  incompatible_python: '2003',
  wheels_missing: '2004',
  install_failed: '2005',
  activation_conflict: '2006',
  unsafe_uninstall: '2007',
  already_installed: '2005',
  version_in_use: '2007',
  not_found: undefined,
  version_barred: undefined,
  // store
  lock_timeout: undefined,
  lock_lost: undefined,
  store_damaged: undefined,
  store_failed: undefined,
  // worker and supervision
  unknown: '1000',
  invalid_pid: '1001',
  invalid_image: '1002',
  invalid_params: '1003',
  not_initialized: '1004',
  timeout: '1005',
  heartbeat_lost: '1006',
  frame_missing: '1007',
  unsupported_color_space: '1008',
  execute_exception: '1009',
  stdout_contaminated: '1010',
  start_failed: '1004',
  worker_exited: undefined,
  protocol_error: undefined,
  contract_violation: undefined,
  queue_full: undefined,
  circuit_open: undefined,
  unsupported_phase: undefined,
  unsupported_image: '1002',
  // frames
  frame_released: undefined,
  pool_full: undefined,
  // everything
  aborted: undefined,
  closed: undefined,
  unsupported_platform: undefined,
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

/** Facts that go with a code. Every key is optional: an error carries what was known where it arose. */
export interface RunnerErrorDetails {
  /** The file, folder or archive entry at fault. */
  path?: string;
  /** Name and version of the package concerned. */
  name?: string;
  /** Version of the package concerned. */
  version?: string;
  /** Product ids concerned. */
  pids?: string[];
  /** Faults inside a document, by path. */
  issues?: FieldIssue[];
  /** Wheels concerned, with the tags that were wanted. */
  wheels?: { file: string; tags: string[] }[];
  /** Interpreters that were looked at, with the tags they accept. */
  interpreters?: { path: string; version: string; tags: string[] }[];
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
  /** Who holds what was waited for. */
  holder?: unknown;
  /** The answer that broke the contract, as it came. */
  raw?: unknown;
  /** Where the operation stood: a stage, a phase or a state. */
  stage?: string;
  /** Further facts of the code. */
  [key: string]: unknown;
}

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

const RETRYABLE: ReadonlySet<RunnerErrorCode> = new Set<RunnerErrorCode>([
  'lock_timeout',
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
    this.details = options.details ?? {};
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    Object.defineProperty(this, BRAND, { value: true });
  }

  /**
   * Whether `value` is a RunnerError (of the given code), also across the ESM and the CJS copy of the library,
   * where `instanceof` fails.
   */
  static is<C extends RunnerErrorCode>(value: unknown, code?: C): value is RunnerError & { code: C } {
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
