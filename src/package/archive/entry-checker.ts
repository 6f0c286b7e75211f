import type { ByteSource } from './byte-source.js';
import type { DataRange, EntrySpan } from './entry-map.js';
import { zipFault } from './fault.js';
import { LOCAL_HEADER_BYTES } from './format.js';
import {
  compareLocalHeader,
  headerLength,
  isPlainHeader,
  minHeaderBytes,
  trailerFault,
} from './local-header.js';
import { throwIfAborted } from '../../abort.js';

/** Reads of headers whose gap is smaller than this are one read: seeking costs more than the bytes. */
const MERGE_GAP_BYTES = 16 * 1024;
const MAX_WINDOW_BYTES = 256 * 1024;
/** Windows that are read side by side: what lies apart is waited for once and not one after the other. */
const WINDOWS_AT_ONCE = 8;
/** Up to so many bytes an entry, one text of a whole window costs less than one of each header. */
const DENSE_BYTES = 1024;

/** What opening an archive may spend on its local headers. */
const CHEAP_WINDOWS = 512;
const CHEAP_BYTES = 16 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** A stretch of the file to look at, and which of the spans start in it. */
interface Window {
  start: number;
  end: number;
  firstSpan: number;
  endSpan: number;
}

/**
 * Holds every local header and data descriptor against the directory.
 *
 * When it is done is a matter of cost. 10,000 entries of 100 KB each lie 10,000 seeks apart, seconds on a slow disk,
 * for a look into a package that may never be unpacked. So opening checks them all when they lie close together or are
 * few, which is so for every package but the largest; else each is checked when its entry is read, and all of them
 * before unpacking writes its first byte.
 */
export class EntryChecker {
  readonly #source: ByteSource;
  readonly #spans: readonly EntrySpan[];
  readonly #directory: string;

  /** @param directory - the central directory, one character a byte */
  constructor(source: ByteSource, spans: readonly EntrySpan[], directory: string) {
    this.#source = source;
    this.#spans = spans;
    this.#directory = directory;
  }

  /** Checks all entries if that costs little. */
  async checkIfCheap(signal?: AbortSignal): Promise<void> {
    const windows = planWindows(this.#spans);
    const bytes = windows.reduce((sum, { start, end }) => sum + end - start, 0);
    if (windows.length > CHEAP_WINDOWS || bytes > CHEAP_BYTES) return;
    await this.#checkWindows(windows, this.#spans, signal);
  }

  /** Checks all entries that were not checked yet. */
  async checkAll(signal?: AbortSignal): Promise<void> {
    const unchecked = this.#spans.filter(({ dataStart }) => dataStart === undefined);
    await this.#checkWindows(planWindows(unchecked), unchecked, signal);
  }

  /** Where the data of one entry lies, its header checked. */
  range(span: EntrySpan): DataRange {
    span.dataStart ??= this.#checkByItself(span);
    return { offset: span.dataStart, length: span.entry.compressedBytes };
  }

  #checkByItself(span: EntrySpan): number {
    const fixed = this.#source.readSync(span.start, LOCAL_HEADER_BYTES);
    const headerBytes = this.#headerBytes(span, fixed, 0);
    const header = this.#source.readSync(span.start, headerBytes);
    const restBytes = restAfter(span, headerBytes);
    const rest = restBytes === 0 ? NOTHING : this.#source.readSync(span.end - restBytes, restBytes);
    return this.#check(span, header, 0, headerBytes, rest);
  }

  async #checkWindows(
    windows: readonly Window[],
    spans: readonly EntrySpan[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const largest = windows.reduce((most, { start, end }) => Math.max(most, end - start), 0);
    const buffers = windows.slice(0, WINDOWS_AT_ONCE).map(() => Buffer.allocUnsafe(largest));
    for (let at = 0; at < windows.length; at += WINDOWS_AT_ONCE) {
      throwIfAborted(signal, 'reading of the archive');
      const some = windows.slice(at, at + WINDOWS_AT_ONCE);
      const contents = await Promise.all(
        some.map(({ start, end }, index) => this.#source.read(start, end - start, buffers[index])),
      );
      for (const [index, window] of some.entries()) {
        const bytes = contents[index];
        if (bytes) this.#checkWindow(window, bytes, spans);
      }
    }
  }

  #checkWindow({ start, firstSpan, endSpan }: Window, bytes: Buffer, spans: readonly EntrySpan[]): void {
    const isDense = bytes.length <= (endSpan - firstSpan) * DENSE_BYTES;
    const whole = isDense ? bytes.toString('latin1') : '';
    for (let index = firstSpan; index < endSpan; index++) {
      const span = spans[index];
      if (!span || span.dataStart !== undefined) continue;
      const at = span.start - start;
      const least = minHeaderBytes(span.entry);
      const isPlain = isDense
        ? isPlainHeader(whole, at, span, this.#directory)
        : isPlainHeader(bytes.toString('latin1', at, at + least), 0, span, this.#directory);
      span.dataStart = isPlain ? span.start + least : this.#checkInWindow(span, bytes, start);
    }
  }

  /** @returns where the data start */
  #checkInWindow(span: EntrySpan, window: Buffer, windowStart: number): number {
    const at = span.start - windowStart;
    const headerBytes = this.#headerBytes(span, window, at);
    const restBytes = restAfter(span, headerBytes);
    const rest =
      restBytes === 0
        ? NOTHING
        : this.#part(window, windowStart, span.end - restBytes - windowStart, span.end - windowStart);
    return at + headerBytes <= window.length
      ? this.#check(span, window, at, headerBytes, rest)
      : this.#check(span, this.#source.readSync(span.start, headerBytes), 0, headerBytes, rest);
  }

  /** Part of a window, counted from its start; read by itself where it runs past the window. */
  #part(window: Buffer, windowStart: number, from: number, to: number): Buffer {
    return to <= window.length
      ? window.subarray(from, to)
      : this.#source.readSync(windowStart + from, to - from);
  }

  /** The length of the header at `at`, when there is room for it and the data. */
  #headerBytes(span: EntrySpan, window: Buffer, at: number): number {
    const bytes = headerLength(window, at);
    if (span.start + bytes + span.entry.compressedBytes > span.end) {
      throw zipFault(
        this.#source.path,
        'has a local header that leaves no room for its data',
        span.entry.name,
      );
    }
    return bytes;
  }

  /** @returns where the data start */
  #check(span: EntrySpan, bytes: Buffer, at: number, headerBytes: number, rest: Buffer): number {
    const { entry } = span;
    const reading = compareLocalHeader(bytes, at, at + headerBytes, entry);
    const fault = typeof reading === 'string' ? reading : trailerFault(rest, entry, reading.hasDescriptor);
    if (fault !== undefined) throw zipFault(this.#source.path, fault, entry.name);
    return span.start + headerBytes;
  }
}

/** Bytes between an entry's data and the next record. */
function restAfter({ start, end, entry }: EntrySpan, headerBytes: number): number {
  return end - start - headerBytes - entry.compressedBytes;
}

/**
 * The stretches to read: from each header to its data, with room for a short extra field. A descriptor lies directly
 * before the next header, so it comes with that window; what a window misses is read by itself.
 */
function planWindows(spans: readonly EntrySpan[]): Window[] {
  const windows: Window[] = [];
  let current: Window | undefined;
  let index = 0;
  for (const span of spans) {
    const end = Math.min(span.end, span.start + minHeaderBytes(span.entry) + 64);
    if (current && span.start - current.end <= MERGE_GAP_BYTES && end - current.start <= MAX_WINDOW_BYTES) {
      current.end = end;
      current.endSpan = index + 1;
    } else {
      current = { start: span.start, end, firstSpan: index, endSpan: index + 1 };
      windows.push(current);
    }
    index++;
  }
  return windows;
}
