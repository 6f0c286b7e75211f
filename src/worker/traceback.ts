import type { WorkerException } from './types.js';

/** The last line of an exception group. */
const GROUP_END = /^\s*\+-+$/;
const HEAD = /^[\s+|]*(?:Exception Group )?Traceback \(most recent call last\):$/;
const CHAIN = /^(?:During handling of the above exception|The above exception was the direct cause)/;
const PLACE = /^[\s|]*File "(.+)", line (\d+)/;
/** A line of the text that is more of the exception: indented, or of a group. */
const INSIDE = /^[\s|+]/;
/** Lines of one traceback that are kept: its beginning and, where the cause is, its end. */
const FIRST_LINES = 20;
const MOST_LINES = 200;

/** Gathers the lines of a traceback as Python prints it, with the exceptions that it came of. */
export class TracebackLines {
  #lines: string[] = [];
  #hasException = false;
  #isChained = false;

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** Whether the text of its exception has come. */
  get isWhole(): boolean {
    return this.#hasException;
  }

  /** Whether the line belongs to it, and was taken. */
  take(line: string): boolean {
    const isHead = HEAD.test(line);
    if (this.isEmpty) {
      if (!isHead) return false;
    } else if (this.#hasException) {
      if (isHead ? !this.#isChained : !INSIDE.test(line) && !CHAIN.test(line)) return false;
    }
    if (isHead) {
      this.#hasException = false;
      this.#isChained = false;
    } else if (CHAIN.test(line)) {
      this.#isChained = true;
    } else if (!INSIDE.test(line) || GROUP_END.test(line)) {
      this.#hasException = true;
    }
    this.#lines.push(line);
    if (this.#lines.length > MOST_LINES) this.#lines.splice(FIRST_LINES, 1);
    return true;
  }

  /** The whole text; there is nothing in it afterwards. */
  finish(): string {
    const text = this.#lines.join('\n');
    this.#lines = [];
    this.#hasException = false;
    this.#isChained = false;
    return text;
  }
}

/** What a traceback says: the exception that was raised last, and where. */
export function readTraceback(traceback: string): WorkerException | undefined {
  const lines = traceback.split('\n');
  let last = lines.length - 1;
  while (last > 0 && INSIDE.test(lines[last] ?? '')) last--;
  const [, type, message = ''] = /^([\w.]+)(?:: (.*))?$/s.exec(lines.slice(last).join('\n')) ?? [];
  if (type === undefined) return undefined;
  let place: RegExpExecArray | null = null;
  for (const line of lines.slice(0, last)) place = PLACE.exec(line) ?? place;
  return {
    type: type.split('.').at(-1) ?? type,
    message,
    ...(place && { file: place[1], line: Number(place[2]) }),
    traceback,
  };
}
