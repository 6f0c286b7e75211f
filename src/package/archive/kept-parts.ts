import type { FileRange } from '../archive-types.js';

/** A stretch of something that passed by and was not kept. */
export class NotKept extends Error {
  constructor(readonly range: FileRange) {
    super(`bytes ${range.offset} to ${range.offset + range.length} were not kept`);
  }
}

/** What is to be kept of bytes that pass by. */
export interface Wanted {
  /** So many at the front. */
  head: number;
  /** So many at the end. */
  tail: number;
  /** And these. */
  ranges: readonly FileRange[];
}

interface Part {
  start: number;
  bytes: Buffer;
}

/**
 * Parts of the content of an entry that was inflated as a stream: an archive inside an archive is read from its end, but
 * what is compressed passes from its front. Read like a buffer; what was not kept throws {@link NotKept}.
 */
export class KeptParts {
  readonly size: number;
  readonly #parts: Part[] = [];

  constructor(size: number) {
    this.size = size;
  }

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.#parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Takes what is wanted of the content as it passes. */
  async take(chunks: AsyncIterable<Buffer>, { head, tail, ranges }: Wanted): Promise<void> {
    const tailStart = Math.max(0, this.size - tail);
    const wanted = [
      { offset: 0, length: head },
      ...ranges,
      { offset: tailStart, length: this.size - tailStart },
    ];
    let at = 0;
    for await (const chunk of chunks) {
      for (const { offset, length } of wanted) {
        const from = Math.max(0, offset - at);
        const to = Math.min(chunk.length, offset + length - at);
        // A copy: the chunk would hold a quarter of a megabyte for a header.
        if (from < to) this.#parts.push({ start: at + from, bytes: Buffer.from(chunk.subarray(from, to)) });
      }
      at += chunk.length;
    }
    this.#parts.sort((a, b) => a.start - b.start || b.bytes.length - a.bytes.length);
  }

  /** Whether a stretch can be read. */
  has({ offset, length }: FileRange): boolean {
    let at = offset;
    for (const { start, bytes } of this.#parts) {
      if (start > at) break;
      at = Math.max(at, start + bytes.length);
    }
    return at >= offset + length;
  }

  /** As {@link Buffer.copy}. @throws NotKept */
  copy(into: Buffer, at: number, from: number, to: number): number {
    let next = from;
    for (const { start, bytes } of this.#parts) {
      if (next >= to || start > next) break;
      const end = Math.min(to, start + bytes.length);
      if (end <= next) continue;
      bytes.copy(into, at + next - from, next - start, end - start);
      next = end;
    }
    if (next < to) throw new NotKept({ offset: next, length: to - next });
    return to - from;
  }
}
