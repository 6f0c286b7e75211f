import { RunnerError } from '../errors.js';

/**
 * Frames of the worker protocol, without any I/O: a length of 4 bytes, unsigned, big-endian, then that many bytes of
 * one UTF-8 JSON object (protocol adapter specification of the SDK).
 */
const LENGTH_BYTES = 4;
const OPENING_BRACE = 0x7b;

/** Largest ceiling: under it the first byte of a frame is 0x00, which text does not hold, so that frames can be found in text. */
export const MAX_FRAME_CEILING = 0x00ff_ffff;

/**
 * First byte of the length of a frame that is looked for, at most: frames of up to 128 MiB. From 8 on the bytes are in
 * text: backspace, tabulator, line feed, escape, and what is printed.
 */
const LAST_FIRST_BYTE = 7;
/** What a frame over the ceiling begins with: its first key. It is skipped and not kept, so that nothing else can tell. */
const LONG_FRAME = /^\{\s?"[a-z_]{3}/;
/** The same past {@link MAX_FRAME_CEILING}, where the length may be text: the first key that the SDK and the bundled worker write. */
const LONGEST_FRAME = /^\{\s?"type"/;
/** Bytes of a body that the two look at. */
const LOOKED_AT = 8;

/** What came out of the bytes, in order. */
export type DecodedItem =
  /** The body of a frame, unparsed. */
  | { kind: 'frame'; body: Buffer }
  /** Bytes that belong to no frame: what somebody printed. */
  | { kind: 'stray'; bytes: Buffer }
  /** A frame that was stepped over; `isLost` when there was something in it. */
  | { kind: 'fault'; message: string; isLost: boolean };

/**
 * One frame, ready to be written in one piece.
 * @throws RunnerError `invalid_params` past the ceiling, and for what JSON cannot say
 */
export function encodeFrame(message: object, maxBytes: number): Buffer {
  const text = toJson(message);
  const length = Buffer.byteLength(text);
  if (length > maxBytes) {
    throw new RunnerError(
      'invalid_params',
      `The message has ${length} bytes, more than the ${maxBytes} that a frame may have: send less in user_params, context or guide_info, or raise maxFrameBytes`,
    );
  }
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, LENGTH_BYTES);
  return frame;
}

function toJson(message: object): string {
  try {
    return JSON.stringify(message);
  } catch (cause) {
    throw new RunnerError(
      'invalid_params',
      `The message cannot be written as JSON: ${(cause as Error).message}. user_params, context and guide_info may hold ` +
        'plain values only: no bigint, nothing that refers to itself',
      { cause },
    );
  }
}

/** Says what is wrong with a frame over the ceiling, and what to do. */
export function overCeiling(bytes: number, maxBytes: number): string {
  return (
    `a frame of ${bytes} bytes, over the ceiling of ${maxBytes}: let the algorithm answer less (debug, rects), ` +
    `or raise maxFrameBytes (at most ${MAX_FRAME_CEILING})`
  );
}

/**
 * Takes bytes as they come and gives frames; what is between frames comes out as stray bytes, in its place.
 *
 * Stray bytes may be anything: text, zero bytes, UTF-16, halves of frames. A frame is looked for at each opening brace,
 * with its length in the four bytes before it, and no JSON text holds a zero byte: where one comes in the middle of a
 * body, the length was none, and what was taken for a frame is stray. The length of the next frame begins with a
 * zero byte, so that no frame is lost to a false one. Each byte is looked at a bounded number of times.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  /** Bytes between frames of which the next ones decide: at most a length and {@link LOOKED_AT} bytes of a body. */
  #undecided: Buffer | undefined;
  /** Of the frame that is being read, what earlier chunks had: its length as it came, then its body. */
  #segments: Buffer[] = [];
  /** Bytes of the body, and those of it that are still to come. */
  #length = 0;
  #missing = 0;
  #isSkipping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): DecodedItem[] {
    const items: DecodedItem[] = [];
    const bytes = this.#undecided ? Buffer.concat([this.#undecided, chunk]) : chunk;
    this.#undecided = undefined;
    this.#read(bytes, items);
    return items;
  }

  /** Nothing more comes. What is left of a frame that was begun is a fault, or stray bytes if it never was one. */
  end(): DecodedItem[] {
    const items: DecodedItem[] = [];
    if (this.#undecided) {
      items.push({ kind: 'stray', bytes: this.#undecided });
    } else if (this.#missing > 0) {
      const came = this.#length - this.#missing;
      const message = `a frame of which ${came} of ${this.#length} bytes came`;
      items.push({ kind: 'fault', message, isLost: false });
    }
    this.#undecided = undefined;
    this.#missing = 0;
    this.#segments = [];
    return items;
  }

  #read(chunk: Buffer, items: DecodedItem[]): void {
    let bytes = chunk;
    let offset = 0;
    /** Where stray bytes begin that were not handed out yet. */
    let stray = 0;
    /** Where the frame that is being read begins; -1 in an earlier chunk. */
    let head = -1;
    const handOut = (to: number) => {
      if (to > stray) items.push({ kind: 'stray', bytes: bytes.subarray(stray, to) });
    };
    while (offset < bytes.length) {
      if (this.#missing === 0) {
        const brace = this.#findFrame(bytes, stray, offset);
        if (brace === undefined) {
          const undecided = undecidedFrom(bytes, Math.max(stray, offset - LENGTH_BYTES));
          handOut(undecided);
          if (undecided < bytes.length) this.#undecided = Buffer.from(bytes.subarray(undecided));
          return;
        }
        head = brace - LENGTH_BYTES;
        if (this.#isSkipping) {
          handOut(head);
          items.push({ kind: 'fault', message: overCeiling(this.#length, this.#maxBytes), isLost: true });
        }
        offset = brace;
        continue;
      }
      const end = Math.min(offset + this.#missing, bytes.length);
      const part = bytes.subarray(offset, end);
      const zero = zeroIn(part);
      if (this.#isSkipping) {
        // A zero byte ends it before its time: the rest of it was not written, or it never was a frame.
        this.#missing = zero === -1 ? this.#missing - part.length : 0;
        stray = offset = zero === -1 ? end : offset + zero;
      } else if (zero !== -1) {
        // It never was a frame. Its first byte is stray; the other three may be of the length of one.
        if (head === -1) {
          bytes = Buffer.concat([...this.#segments, bytes.subarray(offset)]);
          stray = head = 0;
        }
        offset = head + LENGTH_BYTES + 1;
        this.#missing = 0;
        this.#segments = [];
      } else {
        this.#missing -= part.length;
        if (this.#missing === 0) {
          if (head !== -1) handOut(head);
          items.push({ kind: 'frame', body: this.#bodyWith(part) });
        } else if (head !== -1) {
          handOut(head);
          this.#segments = [bytes.subarray(head, end)];
        } else {
          this.#segments.push(part);
        }
        stray = offset = end;
      }
    }
  }

  #bodyWith(last: Buffer): Buffer {
    const [first] = this.#segments;
    if (!first) return last;
    const body = Buffer.concat([first.subarray(LENGTH_BYTES), ...this.#segments.slice(1), last]);
    this.#segments = [];
    return body;
  }

  /** Where the body of the next frame begins, with its length between it and `least`; undefined where none does. */
  #findFrame(bytes: Buffer, least: number, from: number): number | undefined {
    for (let at = nextBrace(bytes, from); at !== -1; at = nextBrace(bytes, at + 1)) {
      const head = at - LENGTH_BYTES;
      if (head < least || (bytes[head] ?? 0) > LAST_FIRST_BYTE) continue;
      const length = bytes.readUInt32BE(head);
      if (length === 0) continue;
      const isLong = length > this.#maxBytes;
      if (isLong) {
        if (bytes.length - at < LOOKED_AT) return undefined;
        const key = length > MAX_FRAME_CEILING ? LONGEST_FRAME : LONG_FRAME;
        if (!key.test(bytes.toString('latin1', at, at + LOOKED_AT))) continue;
      }
      this.#length = length;
      this.#missing = length;
      this.#isSkipping = isLong;
      return at;
    }
    return undefined;
  }
}

/** How far a brace is looked for by hand: where there are many, a search in C costs more to begin than it saves. */
const NEAR = 64;
/** Bodies up to this many bytes, such as those of most answers, are looked through by hand for a zero byte. */
const SHORT = 1_024;

function zeroIn(bytes: Buffer): number {
  if (bytes.length > SHORT) return bytes.indexOf(0);
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0) return at;
  return -1;
}

function nextBrace(bytes: Buffer, from: number): number {
  const near = Math.min(from + NEAR, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === OPENING_BRACE) return at;
  return near === bytes.length ? -1 : bytes.indexOf(OPENING_BRACE, near);
}

/** Where the bytes begin that may be the head of a frame whose rest is still to come: not before `least`. */
function undecidedFrom(bytes: Buffer, least: number): number {
  let from = Math.max(least, bytes.length - LENGTH_BYTES - LOOKED_AT + 1);
  while (from < bytes.length && (bytes[from] ?? 0) > LAST_FIRST_BYTE) from++;
  return from;
}
