import { EXTRA_UNICODE_PATH, EXTRA_ZIP64 } from './format.js';

/**
 * Walks the extra fields of a header, from `start` to `end` (APPNOTE 4.5): pairs of identifier and content.
 *
 * @returns the content by identifier, or undefined when a field says it is longer than the rest. Of several fields
 * with one identifier readers take different ones, so they are no reading either.
 */
export function readExtraFields(
  bytes: Buffer,
  start: number,
  end: number,
): ReadonlyMap<number, Buffer> | undefined {
  if (start === end) return NONE;
  const fields = new Map<number, Buffer>();
  let at = start;
  // Up to three bytes of padding are left by tools that align the data.
  while (at + 4 <= end) {
    const identifier = bytes.readUInt16LE(at);
    const next = at + 4 + bytes.readUInt16LE(at + 2);
    if (next > end) return undefined;
    if (MEANINGFUL.has(identifier)) {
      if (fields.has(identifier)) return undefined;
      fields.set(identifier, bytes.subarray(at + 4, next));
    }
    at = next;
  }
  return fields;
}

const NONE: ReadonlyMap<number, Buffer> = new Map();

const MEANINGFUL: ReadonlySet<number> = new Set([EXTRA_ZIP64, EXTRA_UNICODE_PATH]);
