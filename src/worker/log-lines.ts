import { StringDecoder } from 'node:string_decoder';

/** Bounds on what is read of a log, and what is kept of it. */
export interface LineBounds {
  /** Characters of a line that are kept. */
  maxLineLength: number;
  /** Lines a second that are passed on; the rest is counted. */
  maxLinesPerSecond: number;
  /** Bytes a second that are looked at for lines; of what comes beyond, only the number of bytes is known. */
  maxBytesPerSecond: number;
  /** Lines kept for the account of a failure. */
  keptLines: number;
}

/** Bytes of the end of the log that are kept, whatever came before and however fast. */
const KEPT_BYTES = 8192;
/** A chunk of a flood that is so small is still cut into lines, so that they are counted. */
const SMALL_BYTES = 4096;

/** What was left out before a line. */
export interface LeftOut {
  lines: number;
  bytes: number;
}

/**
 * Cuts a log into lines: `\n`, `\r\n` or `\r`, which ends each state of a progress bar. Over-long lines are cut, a flood is
 * thinned out and counted, the end is always kept.
 */
export class LogLines {
  readonly #bounds: LineBounds;
  readonly #emit: (line: string, leftOut: LeftOut) => void;
  readonly #decoder = new StringDecoder('utf8');
  /** The last chunks, of {@link KEPT_BYTES} at least, where so much came. */
  #end: Buffer[] = [];
  #endBytes = 0;
  #partial = '';
  #isCut = false;
  #windowStart = 0;
  #lines = 0;
  #bytes = 0;
  #leftOut: LeftOut = { lines: 0, bytes: 0 };

  constructor(bounds: LineBounds, emit: (line: string, leftOut: LeftOut) => void) {
    this.#bounds = bounds;
    this.#emit = emit;
  }

  /** The last lines, oldest first. */
  get last(): string[] {
    const { keptLines, maxLineLength } = this.#bounds;
    const bytes = Buffer.concat(this.#end);
    const text = bytes.subarray(Math.max(0, bytes.length - KEPT_BYTES)).toString('utf8');
    const lines = linesOf(text).filter((line) => line !== '');
    return lines.slice(-keptLines).map((line) => cut(line, maxLineLength));
  }

  push(chunk: Buffer): void {
    this.#keepEnd(chunk);
    const now = performance.now();
    if (now - this.#windowStart >= 1000) {
      this.#windowStart = now;
      this.#lines = 0;
      this.#bytes = 0;
    }
    this.#bytes += chunk.length;
    const { maxBytesPerSecond, maxLinesPerSecond } = this.#bounds;
    if (this.#bytes > maxBytesPerSecond || (this.#lines > maxLinesPerSecond && chunk.length > SMALL_BYTES)) {
      // Not even looked at: to search for lines takes longer than to read the bytes.
      this.#leftOut.bytes += chunk.length + Buffer.byteLength(this.#partial);
      this.#partial = '';
      return;
    }
    const lines = linesOf(this.#decoder.write(chunk));
    const unfinished = lines.pop() ?? '';
    for (const line of lines) {
      this.#append(line);
      this.#endLine();
    }
    this.#append(unfinished);
  }

  /** What was not ended counts as a line too. @returns what was left out at the end */
  end(): LeftOut {
    this.#append(this.#decoder.end());
    this.#endLine();
    return this.#takeLeftOut();
  }

  #keepEnd(chunk: Buffer): void {
    if (chunk.length >= KEPT_BYTES) {
      this.#end = [chunk];
      this.#endBytes = chunk.length;
      return;
    }
    this.#end.push(chunk);
    this.#endBytes += chunk.length;
    if (this.#endBytes < 2 * KEPT_BYTES && this.#end.length < 256) return;
    // Rarely, and all at once: one copy for many small chunks.
    const joined = Buffer.concat(this.#end);
    this.#end = [joined.subarray(Math.max(0, joined.length - KEPT_BYTES))];
    this.#endBytes = Math.min(joined.length, KEPT_BYTES);
  }

  #append(text: string): void {
    const room = this.#bounds.maxLineLength - this.#partial.length;
    if (text.length > room) this.#isCut = true;
    this.#partial += text.slice(0, Math.max(room, 0));
  }

  #endLine(): void {
    const line = this.#partial + (this.#isCut ? '… (cut)' : '');
    this.#partial = '';
    this.#isCut = false;
    if (line === '') return;
    if (++this.#lines > this.#bounds.maxLinesPerSecond) this.#leftOut.lines++;
    else this.#emit(line, this.#takeLeftOut());
  }

  #takeLeftOut(): LeftOut {
    const leftOut = this.#leftOut;
    this.#leftOut = { lines: 0, bytes: 0 };
    return leftOut;
  }
}

/** A line feed, a carriage return or both end a line; two of them make an empty one, which is none. */
function linesOf(text: string): string[] {
  return text.includes('\r') ? text.split(/[\r\n]/) : text.split('\n');
}

function cut(line: string, length: number): string {
  return line.length > length ? `${line.slice(0, length)}… (cut)` : line;
}
