import path from 'node:path';
import { RunnerError } from '../errors.js';
import { barredFolder } from '../process/barred-folder.js';
import { baseInterpreter } from '../process/base-interpreter.js';
import type { WorkerSpec, WorkerState } from './types.js';
import { exitCodeInWords, windowsExit } from '../process/windows-exit.js';

/** A step of the protocol that did not come in time. */
export function tooLate(title: string, what: string, timeoutMs: number, output: string[]): RunnerError {
  return new RunnerError(
    'timeout',
    `${title} did not ${what} within ${timeoutMs} ms; the process was ended${lastSaid(output)}`,
    {
      details: { stage: what, timeoutMs, output },
    },
  );
}

/** No pong came. */
export function heartbeatLost(title: string, timeoutMs: number, output: string[]): RunnerError {
  const message = `${title} did not answer a ping within ${timeoutMs} ms; the process was ended`;
  return new RunnerError('heartbeat_lost', message, { details: { timeoutMs, output } });
}

/**
 * The failures that an exit gives to the waiting start or calls. The last lines of stderr give the reason; for memory, the
 * kernel's counter. `spec`: of a worker that was not ready yet.
 */
export function exitFailures(
  title: string,
  exitCode: number | null,
  exitSignal: NodeJS.Signals | null,
  output: string[],
  { isOutOfMemory = false, spec }: { isOutOfMemory?: boolean; spec?: WorkerSpec } = {},
): { beforeReady: RunnerError; byItself: RunnerError; ended: RunnerError } {
  const words = exitCodeInWords(exitCode);
  const status = windowsExit(exitCode);
  const how = exitSignal ?? `exit code ${words}`;
  const why = isOutOfMemory
    ? ': memory had run out, and the kernel chose it. Give the machine or the container more, run fewer workers, or let ' +
      'policy.recycleAboveBytes replace a worker that grows'
    : '';
  const left = exitSignal
    ? `was killed by ${exitSignal}${why}`
    : status
      ? `ended with exit code ${words}: ${status.remedy}`
      : `left by itself with exit code ${exitCode}`;
  const details = { exitCode, exitSignal, output, ...(isOutOfMemory && { isOutOfMemory }) };
  const tail = lastSaid(output);
  const barred = spec && barredFrom(spec);
  const hint = barred === undefined ? '' : `. It may be that ${barred}`;
  return {
    beforeReady: new RunnerError('start_failed', `${title} ${left}, before it was ready${tail}${hint}`, {
      details,
    }),
    byItself: new RunnerError('worker_exited', `${title} ${left}${tail}`, { details }),
    ended: new RunnerError('worker_exited', `${title} ended (${how})${why}`, { details }),
  };
}

/** What keeps a worker of another user from its files, as far as the modes of folders tell. */
function barredFrom({ uid, gid = uid, python, root }: WorkerSpec): string | undefined {
  if (uid === undefined || gid === undefined) return undefined;
  return barredFolder([python, baseInterpreter(python).command, path.join(root, 'manifest.json')], {
    uid,
    gid,
  });
}

/** The algorithm could not be loaded; the worker said why. */
export function notLoaded(
  title: string,
  entryPoint: string,
  { message, errorCode }: { message: string; errorCode: string | undefined },
  output: string[],
): RunnerError {
  return new RunnerError('start_failed', `${title} could not load ${entryPoint}: ${message}`, {
    errorCode,
    details: { stage: 'load', output },
  });
}

/** The end of its log, where the cause often is. */
function lastSaid(output: string[]): string {
  return output.length > 0 ? `; it last said: ${output.slice(-3).join(' | ')}` : '';
}

/** Why a worker that is not idle takes no call. */
export function takesNone(title: string, state: WorkerState): RunnerError {
  return state === 'busy'
    ? new RunnerError('queue_full', `${title} takes one call at a time and has one`)
    : new RunnerError('closed', `${title} takes no calls: it is ${state}`);
}
