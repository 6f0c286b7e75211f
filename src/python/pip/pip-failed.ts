import { RunnerError } from '../../errors.js';
import { refusedBySystem } from '../system-refusal.js';
import type { Interpreter } from '../types.js';

/** What is known when pip has failed. */
interface PipFailure {
  /** Everything pip wrote, in order. */
  output: readonly string[];
  exitCode: number | null;
  wheelsFolder: string;
  interpreter: Interpreter;
}

const KEPT_LINES = 40;

/** Tells in pip's own words what kept it from installing. What it should install had been chosen. */
export function pipFailed({ output, exitCode, wheelsFolder, interpreter }: PipFailure): RunnerError {
  const { version, path } = interpreter;
  const what = `install ${wheelsFolder} for Python ${version} at ${path}`;
  const details = { output: output.slice(-KEPT_LINES), exitCode, path: wheelsFolder };
  return (
    refusedBySystem(output, `${what} by pip`, details) ??
    new RunnerError('install_failed', `pip could not ${what}: ${wordsIn(output)}`, { details })
  );
}

function wordsIn(output: readonly string[]): string {
  const errors = output.filter((line) => line.startsWith('ERROR: ')).map((line) => line.slice(7).trim());
  const words = errors.length > 0 ? errors : output.filter((line) => line.trim() !== '').slice(-3);
  return words.join(' ') || 'it said nothing';
}
