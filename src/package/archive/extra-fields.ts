/**
 * Walks the extra fields of a header (APPNOTE 4.5): pairs of identifier and content.
 *
 * @returns the content by identifier, or undefined when a field says it is longer than the rest. Of several fields
 * with one identifier readers take different ones, so they are no reading either.
 */
export function readExtraFields(extra: Buffer): Map<number, Buffer> | undefined {
  const fields = new Map<number, Buffer>();
  let at = 0;
  while (at + 4 <= extra.length) {
    const identifier = extra.readUInt16LE(at);
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (end > extra.length) return undefined;
    if (MEANINGFUL.has(identifier)) {
      if (fields.has(identifier)) return undefined;
      fields.set(identifier, extra.subarray(at + 4, end));
    }
    at = end;
  }
  // Up to three bytes of padding are left by tools that align the data.
  return fields;
}

const MEANINGFUL: ReadonlySet<number> = new Set([0x0001, 0x7075]);
