/**
 * Every failure of the library: one class, one brand. The codes and their facts are in `error-details.ts`.
 */
import {
  ERROR_NUMBERS,
  type GivenDetails,
  type RunnerErrorCode,
  type RunnerErrorDetails,
} from './error-details.js';

export { ERROR_NUMBERS } from './error-details.js';
export type {
  FieldIssue,
  ProcessDetails,
  RunnerErrorCode,
  RunnerErrorDetails,
  RunnerErrorFacts,
} from './error-details.js';

/** What a {@link RunnerError} is made from besides code and message. */
export interface RunnerErrorOptions<C extends RunnerErrorCode = RunnerErrorCode> {
  /** The error behind this one. */
  cause?: unknown;
  /** Facts that go with the code. */
  details?: GivenDetails<C>;
  /** Whether the same call may succeed if made again unchanged. @defaultValue by code */
  retryable?: boolean;
  /** Number as a worker sent it, where it differs from the table. */
  errorCode?: string;
}

/** Options may be left out only where the code has no fact that is always there. */
export type RunnerErrorArguments<C extends RunnerErrorCode> =
  object extends GivenDetails<C>
    ? [options?: RunnerErrorOptions<C>]
    : [
        options: RunnerErrorOptions<C> & {
          /** Facts that go with the code. */
          details: GivenDetails<C>;
        },
      ];

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
  const { rollbackProductIds } = details;
  if (rollbackProductIds) Object.assign(details, { rollbackPids: rollbackProductIds });
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
  'gpu_oom',
  'unreachable',
  'no_responders',
  'conflict',
]);

/** Whether a failure of a code, as another machine names it, may pass by itself. A code that is not known does not. */
export function isRetryable(code: string): boolean {
  return RETRYABLE.has(code as RunnerErrorCode);
}

/**
 * Every failure of this library.
 *
 * `name` is `'RunnerError'`, except for `code: 'aborted'`, whose name is `'AbortError'` as the platform's is.
 * `errorCode` is the number of the specifications (`'2001'` for `invalid_zip`), where there is one.
 */
export class RunnerError<C extends RunnerErrorCode = RunnerErrorCode> extends Error {
  /** What failed, as a symbolic name. */
  readonly code: C;
  /** Number of the specifications, where there is one. */
  readonly errorCode: string | undefined;
  /** Facts that go with the code. */
  readonly details: RunnerErrorDetails<C>;
  /** Whether the same call may succeed if made again unchanged. */
  readonly retryable: boolean;

  constructor(code: C, message: string, ...[options = {}]: RunnerErrorArguments<C>) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code === 'aborted' ? 'AbortError' : 'RunnerError';
    this.code = code;
    this.errorCode = options.errorCode ?? ERROR_NUMBERS[code];
    this.details = withBothNames({ ...options.details }) as RunnerErrorDetails<C>;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    Object.defineProperty(this, BRAND, { value: true });
    Object.defineProperty(this, INSPECT, { value: show });
  }

  /**
   * Whether `value` is a RunnerError (of the given code), whichever copy of the library made it. With a code, its details
   * are those of the code: `RunnerError.is(e, 'timeout') && e.details.timeoutMs`.
   */
  static is<Code extends RunnerErrorCode>(value: unknown, code?: Code): value is RunnerError<Code> {
    return (
      typeof value === 'object' &&
      value !== null &&
      (value as Record<symbol, unknown>)[BRAND] === true &&
      (code === undefined || (value as RunnerError).code === code)
    );
  }

  /** `instanceof` knows the errors of every copy of the library by their brand; that of a derived class is as usual. */
  static override [Symbol.hasInstance](value: unknown): value is RunnerError {
    return this === RunnerError
      ? RunnerError.is(value)
      : Function.prototype[Symbol.hasInstance].call(this, value);
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
  const holder = first as { details?: RunnerErrorDetails };
  const { alsoFailed = [] } = holder.details ?? {};
  const more = [...alsoFailed, later instanceof Error ? later.message : String(later)];
  if (holder.details) holder.details.alsoFailed = more;
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
