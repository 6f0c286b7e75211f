import { StringDecoder } from 'node:string_decoder';
import { parsePythonJson } from './json.js';
import type { WorkerLog } from './types.js';

/** Bounds on what a worker may log. */
export interface LogBounds {
  /** Characters of a line that are kept. */
  maxLineLength: number;
  /** Lines a second that are passed on; the rest is counted. */
  maxLinesPerSecond: number;
  /** Lines kept for the account of a failure. */
  keptLines: number;
}

export const DEFAULT_LOG_BOUNDS: LogBounds = { maxLineLength: 8192, maxLinesPerSecond: 500, keptLines: 50 };

/**
 * Reads stderr of a worker: one JSON object a line, or free text. Over-long lines are cut, a flood is thinned out and
 * counted, the last lines are kept.
 */
export class LogParser {
  readonly #emit: (log: WorkerLog) => void;
  readonly #bounds: LogBounds;
  readonly #decoder = new StringDecoder('utf8');
  readonly #last: string[] = [];
  #partial = '';
  #isCut = false;
  #windowStart = 0;
  #inWindow = 0;
  #dropped = 0;

  constructor(emit: (log: WorkerLog) => void, bounds: LogBounds = DEFAULT_LOG_BOUNDS) {
    this.#emit = emit;
    this.#bounds = bounds;
  }

  /** The last lines, oldest first. */
  get lastLines(): string[] {
    return [...this.#last];
  }

  push(chunk: Buffer): void {
    const lines = this.#decoder.write(chunk).split('\n');
    const unfinished = lines.pop() ?? '';
    for (const line of lines) {
      this.#append(line);
      this.#endLine();
    }
    this.#append(unfinished);
  }

  /** What was not ended by a newline counts as a line too. */
  end(): void {
    this.#append(this.#decoder.end());
    if (this.#partial !== '') this.#endLine();
    if (this.#dropped > 0) this.#pass(`${this.#dropped} more lines were left out`);
  }

  #append(text: string): void {
    const room = this.#bounds.maxLineLength - this.#partial.length;
    if (text.length > room) this.#isCut = true;
    this.#partial += text.slice(0, Math.max(room, 0));
  }

  #endLine(): void {
    const line = (this.#partial + (this.#isCut ? '… (cut)' : '')).replace(/\r$/, '');
    this.#partial = '';
    this.#isCut = false;
    if (line === '') return;
    this.#last.push(line);
    if (this.#last.length > this.#bounds.keptLines) this.#last.shift();
    const now = performance.now();
    if (now - this.#windowStart >= 1000) {
      this.#windowStart = now;
      this.#inWindow = 0;
    }
    if (++this.#inWindow > this.#bounds.maxLinesPerSecond) this.#dropped++;
    else this.#pass(line);
  }

  #pass(line: string): void {
    const log = readLogLine(line);
    if (this.#dropped > 0) log.dropped = this.#dropped;
    this.#dropped = 0;
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
