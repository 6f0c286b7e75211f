import type { RunnerError, RunnerErrorCode } from 'procvision-runner';
import { CliFailure, EXIT } from './host.js';
import type { Output } from './terminal/output.js';

/** Last lines of a subprocess that are shown: the rest is in the JSON. */
const MOST_LINES = 20;

const NOT_FOUND: ReadonlySet<RunnerErrorCode> = new Set<RunnerErrorCode>(['not_found', 'invalid_pid']);

/** An error of the library by its brand, without loading the library for it. */
export function isRunnerError(error: unknown): error is RunnerError {
  const brand = Symbol.for('procvision-runner.RunnerError');
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[brand] === true;
}

export function exitCodeOf(error: unknown, interrupted: AbortSignal): number {
  if (interrupted.aborted) return EXIT.interrupted;
  if (error instanceof CliFailure) return error.exitCode;
  if (!isRunnerError(error)) return EXIT.failed;
  if (NOT_FOUND.has(error.code)) return EXIT.notFound;
  return error.code === 'invalid_params' ? EXIT.usage : EXIT.failed;
}

/** One line on stderr, then what a subprocess said; with `--json` also a document on stdout. */
export function reportFailure(error: unknown, out: Output): void {
  const { red, dim } = out.messageStyle;
  const message = error instanceof Error ? error.message : String(error);
  const prefix = isRunnerError(error) ? `${error.code}: ` : '';
  out.say(`${red('error:')} ${prefix}${message.replaceAll(/\s*\n\s*/g, ' ')}`);
  if (isRunnerError(error)) {
    const { output = [], traceback } = error.details;
    const lines = traceback === undefined ? output : traceback.trimEnd().split('\n');
    for (const line of lines.slice(-MOST_LINES)) out.say(dim(`  ${line}`));
  }
  if (!out.isJson) return;
  const code = error instanceof CliFailure ? error.code : 'failed';
  const plain = isRunnerError(error) ? error.toJSON() : { name: 'Error', code, message };
  out.result({ error: plain }, '');
}
