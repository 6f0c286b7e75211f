import { parsePythonJson } from './json.js';
import { LogLines, type LeftOut, type LineBounds } from './log-lines.js';
import { readTraceback, TracebackLines } from './traceback.js';
import type { WorkerLog } from './types.js';

export const DEFAULT_LOG_BOUNDS: LineBounds = {
  maxLineLength: 8192,
  maxLinesPerSecond: 500,
  maxBytesPerSecond: 1 << 18,
  keptLines: 50,
};

/** Where nothing more came for this long after the exception's text, a traceback is over. */
const QUIET_MS = 300;
/** It is printed line by line: how long the next one is waited for. */
const UNFINISHED_MS = 3_000;

/**
 * Reads stderr of a worker: one JSON object a line, a traceback, which is one log of level error, or free text.
 */
export class LogParser {
  readonly #emit: (log: WorkerLog) => void;
  readonly #lines: LogLines;
  readonly #traceback = new TracebackLines();
  #leftOut: LeftOut = { lines: 0, bytes: 0 };
  #quiet: NodeJS.Timeout | undefined;

  constructor(emit: (log: WorkerLog) => void, bounds: Partial<LineBounds> = {}) {
    this.#emit = emit;
    this.#lines = new LogLines({ ...DEFAULT_LOG_BOUNDS, ...bounds }, (line, leftOut) => {
      this.#onLine(line, leftOut);
    });
  }

  /** The last lines, oldest first. */
  get lastLines(): string[] {
    return this.#lines.last;
  }

  push(chunk: Buffer): void {
    this.#lines.push(chunk);
  }

  /** What was not ended by a newline counts as a line too. */
  end(): void {
    const leftOut = this.#lines.end();
    this.#endTraceback();
    const { lines, bytes } = leftOut;
    if (bytes > 0) this.#pass(readLogLine(`${bytes} more bytes were left out`), leftOut);
    else if (lines > 0) this.#pass(readLogLine(`${lines} more lines were left out`), leftOut);
  }

  #onLine(line: string, leftOut: LeftOut): void {
    const wasEmpty = this.#traceback.isEmpty;
    if (this.#traceback.take(line)) {
      if (wasEmpty) this.#leftOut = leftOut;
      clearTimeout(this.#quiet);
      this.#quiet = setTimeout(
        () => {
          this.#endTraceback();
        },
        this.#traceback.isWhole ? QUIET_MS : UNFINISHED_MS,
      );
      return;
    }
    if (!wasEmpty) {
      this.#endTraceback();
      this.#onLine(line, leftOut);
      return;
    }
    this.#pass(readLogLine(line), leftOut);
  }

  #endTraceback(): void {
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    if (this.#traceback.isEmpty) return;
    const message = this.#traceback.finish();
    const exception = readTraceback(message);
    const log = { level: 'error', timestampMs: Date.now(), message, fields: {}, structured: false };
    this.#pass({ ...log, ...(exception && { exception }) }, this.#leftOut);
  }

  #pass(log: WorkerLog, { lines, bytes }: LeftOut): void {
    if (lines > 0) log.dropped = lines;
    if (bytes > 0) log.droppedBytes = bytes;
    this.#emit(log);
  }
}

/** One line: `{level, timestamp_ms, message, …}` as the SDK's logger writes it, or text. */
export function readLogLine(line: string): WorkerLog {
  if (line.startsWith('{')) {
    try {
      const { value } = parsePythonJson(line);
      const { level, timestamp_ms: timestamp, message, ...fields } = value as Record<string, unknown>;
      if (typeof message === 'string') {
        return {
          level: typeof level === 'string' ? level : 'info',
          timestampMs: typeof timestamp === 'number' ? timestamp : Date.now(),
          message,
          fields,
          structured: true,
        };
      }
    } catch {
      // text that happens to start with a brace
    }
  }
  return { level: 'info', timestampMs: Date.now(), message: line, fields: {}, structured: false };
}
