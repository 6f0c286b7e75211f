import type { OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';
import { fullDiskRemedy } from '../../store/space.js';
import { installRefused } from '../../store/store-error.js';

/** How the helper is run. */
export interface HelperOptions extends OperationOptions {
  /** A Python 3.8 or later: that of the environment that is being made. */
  python: string;
  timeoutMs: number;
}

/** What is wrong with a wheel, as the helper says it. */
export interface WheelFault {
  text: string;
  /** File of the wheel, where it is about one. */
  entry: string | undefined;
}

interface Answer<T> {
  done?: number;
  ok?: T;
  fault?: string;
  entry?: string | null;
  error?: { code: string; message: string; path: string | null };
}

/**
 * Has a Python process do what goes through every file of a wheel. Done in this process it would take its memory (a
 * hundred MB for what inflating leaves to be collected), its event loop and its threads, while it inspects images; and
 * it would take three times as long, since one thread of JavaScript would have to lead every byte by the hand.
 *
 * @param lines - what follows the request, one JSON value a line
 * @param onFault - turns what is wrong with the wheel into an error
 * @throws RunnerError what `onFault` gives; `store_failed` with the system's error as its cause (`install_failed` where it is
 * about a name), `timeout`, `aborted`
 */
export async function runStoreHelper<T>(
  request: object,
  options: HelperOptions & {
    lines?: Iterable<unknown>;
    onFault: (fault: WheelFault) => RunnerError;
    onProgress?: (done: number) => void;
  },
): Promise<T> {
  const { python, onProgress, onFault, lines = [] } = options;
  let answer: Answer<T> | undefined;
  const script = assetPath('python/wheels/store_helper.py');
  // Without site: nothing that the interpreter's packages hook into its start is wanted here.
  const result = await run(python, ['-I', '-S', '-B', '-X', 'utf8', script], {
    env: pythonEnvironment(),
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    input: asJson(request, lines),
    onLine: (line, stream) => {
      if (stream === 'stderr' || line === '') return;
      const reply = JSON.parse(line) as Answer<T>;
      if (reply.done === undefined) answer = reply;
      else onProgress?.(reply.done);
    },
  });
  if (answer?.ok !== undefined) return answer.ok;
  if (answer?.fault !== undefined) throw onFault({ text: answer.fault, entry: answer.entry ?? undefined });
  if (answer?.error) throw systemError(answer.error);
  const said = result.stderr.trim().split('\n');
  throw new RunnerError(
    'install_failed',
    `${python} could not work on the wheel store (exit ${result.exitCode ?? result.exitSignal ?? ''}): ${said.at(-1) ?? ''}`,
    { details: { path: python, output: said.slice(-20), exitCode: result.exitCode } },
  );
}

function* asJson(request: object, lines: Iterable<unknown>): Generator<string> {
  yield `${JSON.stringify(request)}\n`;
  for (const line of lines) yield `${JSON.stringify(line)}\n`;
}

/** The system's code of an error that the helper met; undefined for any other error. */
export function helperErrno(error: unknown): string | undefined {
  return RunnerError.is(error, 'store_failed') || RunnerError.is(error, 'install_failed')
    ? (error.cause as NodeJS.ErrnoException | undefined)?.code
    : undefined;
}

/** As if this process had met it. */
function systemError({ code, message, path }: NonNullable<Answer<unknown>['error']>): RunnerError {
  const text = `${code}: ${message}${path === null ? '' : `, '${path}'`}`;
  const cause: NodeJS.ErrnoException = Object.assign(new Error(text), { code, path: path ?? undefined });
  const remedy = fullDiskRemedy(cause, 'free some space, for example with prune()');
  return installRefused(cause, `The wheel store cannot be worked on: ${text}${remedy}`, {
    path: path ?? undefined,
  });
}
