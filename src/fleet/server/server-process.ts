import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { RunnerError } from '../../errors.js';

/** A `nats-server` that runs. */
export interface NatsServerProcess {
  /** `nats://127.0.0.1:4222` */
  readonly url: string;
  readonly processId: number;
  /** Resolves when it ends, by itself or by {@link NatsServerProcess.stop}: with its exit code or the name of its signal. */
  readonly ended: Promise<number | string>;
  /** The last lines that it wrote. */
  readonly output: readonly string[];
  /** Ends it and waits for the end. @defaultValue 'SIGTERM' */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const KEPT_LINES = 20;
const CANNOT_START: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be executed (chmod +x makes it so)',
};
const LISTENS = /Listening for client connections on (\S+)/;

/**
 * Starts a server by a configuration file and waits until it is ready.
 *
 * @throws RunnerError `start_failed` with what it wrote, when it ends before that
 */
export async function startNatsServer(binary: string, configuration: string): Promise<NatsServerProcess> {
  const child = spawn(binary, ['-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
  const output: string[] = [];
  const ended = endOf(child);
  const address = await new Promise<string>((resolve, reject) => {
    let found = '';
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        output.push(line);
        if (output.length > KEPT_LINES) output.shift();
        found = LISTENS.exec(line)?.[1] ?? found;
        if (line.includes('Server is ready')) resolve(found);
      }
    });
    ended.then(
      (how) => {
        reject(failed(`${binary} ended (${how}) before it was ready`, output));
      },
      (cause: unknown) => {
        const { code, message } = cause as NodeJS.ErrnoException;
        const why = CANNOT_START[code ?? ''] ?? message;
        reject(failed(`${binary} could not be started: ${why}`, output, cause));
      },
    );
  });
  return {
    url: `nats://${address}`,
    processId: child.pid ?? 0,
    ended,
    output,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await ended;
    },
  };
}

async function endOf(child: ChildProcess): Promise<number | string> {
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return code ?? signal ?? 'unknown';
}

function failed(how: string, output: readonly string[], cause?: unknown): RunnerError {
  const last = output.at(-1) ?? '';
  return new RunnerError('start_failed', `The server ${how}${last && `: ${last}`}`, {
    cause,
    details: { output: [...output] },
  });
}
