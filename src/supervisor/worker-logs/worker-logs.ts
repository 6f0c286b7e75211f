import type { SupervisorEvents } from '../events.js';
import { LogFolder } from './log-folder.js';
import type { HostLogger, WorkerLogLine, WorkerLogOptions } from './types.js';

/** With the fields that a structured line brings along. */
type WrittenLine = WorkerLogLine & Record<string, unknown>;

/** How long lines wait to be written together: far from any call. */
const FLUSH_MS = 500;
/** Lines that wait at most; where a disk is slower than the workers, the rest is counted. */
const MOST_WAITING = 5_000;

interface Waiting {
  name: string;
  version: string;
  worker: string;
  line: () => WrittenLine;
}

/** Writes what workers log to the store and to the logger of the host, away from the calls. */
export class WorkerLogs {
  readonly #folder: LogFolder | undefined;
  readonly #logger: HostLogger | undefined;
  #waiting: Waiting[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(folder: string, options: Required<WorkerLogOptions>, logger: HostLogger | undefined) {
    this.#folder = options.enabled ? new LogFolder(folder, options) : undefined;
    this.#logger = logger;
  }

  /** Takes an event of the supervisor, if it is one of a worker's life. */
  watch<Name extends keyof SupervisorEvents>(name: Name, ...args: SupervisorEvents[Name]): void {
    if (!this.#folder && !this.#logger) return;
    const time = Date.now();
    if (name === 'log') {
      const [event] = args as SupervisorEvents['log'];
      this.#add(event, () => {
        const { level, timestampMs, message, fields, requestId, productId, stepIndex, exception } = event;
        return {
          ...fields,
          ...lineOf(timestampMs, level, message),
          ...(requestId !== undefined && { request: requestId }),
          ...(productId !== undefined && { product_id: productId }),
          ...(stepIndex !== undefined && { step: stepIndex }),
          ...(exception && { exception: { ...exception, traceback: undefined } }),
          ...(event.dropped !== undefined && { dropped: event.dropped }),
          ...(event.droppedBytes !== undefined && { dropped_bytes: event.droppedBytes }),
        };
      });
    } else if (name === 'strayOutput') {
      const [event] = args as SupervisorEvents['strayOutput'];
      this.#add(event, () => ({ ...lineOf(time, 'info', event.text), stream: 'stdout', bytes: event.bytes }));
    } else if (name === 'ready') {
      const [event] = args as SupervisorEvents['ready'];
      this.#add(event, () => ({
        ...lineOf(time, 'info', 'the worker is ready'),
        process_id: event.processId,
      }));
    } else if (name === 'exit') {
      const [event] = args as SupervisorEvents['exit'];
      const { exitCode, exitSignal, reason, error } = event;
      this.#add(event, () => ({
        ...lineOf(time, error ? 'error' : 'info', error?.message ?? `the worker ended: ${reason}`),
        ...{ reason, exit_code: exitCode, exit_signal: exitSignal },
      }));
    }
  }

  /** Writes what waits. Nothing comes after it. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#flush());
    await this.#flushing;
  }

  #add(about: { name: string; version: string; worker?: number }, line: () => WrittenLine): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#dropped++;
      return;
    }
    const { name, version, worker } = about;
    this.#waiting.push({ name, version, worker: worker === undefined ? 'spare' : String(worker), line });
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushing = this.#flushing.then(() => this.#flush());
    }, FLUSH_MS);
    this.#timer.unref(); // a host that has nothing else to do may end
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    const dropped = this.#dropped;
    this.#waiting = [];
    this.#dropped = 0;
    const byFile = new Map<string, { about: Waiting; text: string }>();
    for (const about of waiting) {
      const { name, version, worker } = about;
      const line = about.line();
      this.#tell({ name, version, worker, ...line });
      const key = JSON.stringify([name, version, worker]);
      const file = byFile.get(key) ?? { about, text: '' };
      file.text += `${JSON.stringify(line)}\n`;
      byFile.set(key, file);
    }
    for (const { about, text } of byFile.values()) {
      const more = dropped === 0 ? '' : `${JSON.stringify(lineOf(Date.now(), 'warn', lost(dropped)))}\n`;
      await this.#folder?.append(about.name, about.version, about.worker, text + more).then(
        () => {
          this.#hasFailed = false;
        },
        (error: unknown) => {
          this.#onFailure(about, error as Error);
        },
      );
    }
  }

  #tell({ level, message, ...fields }: WrittenLine): void {
    if (!this.#logger) return;
    try {
      this.#logger[methodOf(level)](fields, message);
    } catch {
      // a logger of the host that fails is the host's matter, and none of the workers
    }
  }

  /** Reported once until a write succeeds again: a full disk fails at every line. */
  #onFailure({ name, version, worker }: Waiting, error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const message = `the log of the worker cannot be written: ${error.message}`;
    this.#tell({ ...lineOf(Date.now(), 'warn', message), name, version, worker });
  }
}

function lineOf(time: number, level: string, message: string): WrittenLine {
  const date = new Date(time);
  // A worker may log any number as its time.
  return { time: (Number.isNaN(date.getTime()) ? new Date() : date).toISOString(), level, message };
}

function lost(lines: number): string {
  return `${lines} lines were not written: the workers log faster than the disk takes it`;
}

/** Levels as the `logging` module of Python, the SDK and others name them. */
function methodOf(level: string): keyof HostLogger {
  const name = level.toLowerCase();
  if (['debug', 'trace', 'notset'].includes(name)) return 'debug';
  if (name.startsWith('warn')) return 'warn';
  return ['error', 'critical', 'fatal'].includes(name) ? 'error' : 'info';
}
