/** EXIF 2.3, which has its fields as TIFF 6.0 has them: a byte order, and directories of 12 bytes an entry. */

const ENTRY_BYTES = 12;
const ORIENTATION = 0x0112;

/** A field of a directory: its numbers, of 8, 16 or 32 bits. */
export type Fields = ReadonlyMap<number, readonly number[]>;

/** Bytes of a number, by TIFF's types: BYTE, SHORT, LONG. */
const SIZES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4 };
/** Numbers of a field that are read, at most. */
const MOST_NUMBERS = 64;

/**
 * The first directory of a TIFF: whole numbers alone.
 *
 * @throws RangeError when it ends early
 */
export function readDirectory(bytes: Buffer): Fields {
  const isLittle = bytes[0] === 0x49;
  const short = (at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const long = (at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const start = long(4);
  const fields = new Map<number, number[]>();
  for (let index = 0, count = short(start); index < count; index++) {
    const at = start + 2 + index * ENTRY_BYTES;
    const size = SIZES[short(at + 2)];
    if (size === undefined) continue;
    const length = Math.min(long(at + 4), MOST_NUMBERS);
    const from = long(at + 4) * size <= 4 ? at + 8 : long(at + 8);
    const read = { 1: (place: number) => bytes.readUInt8(place), 2: short, 4: long }[size] ?? short;
    fields.set(
      short(at),
      Array.from({ length }, (_, item) => read(from + item * size)),
    );
  }
  return fields;
}

/** What a JPEG has before its EXIF data; libvips writes it into a WebP too, where it does not belong. */
const PREFIX = 'Exif\0\0';

/** The orientation that EXIF data name: 1 to 8; 1 where they name none, or cannot be read. */
export function orientationIn(exif: Buffer | undefined): number {
  if (!exif) return 1;
  const isPrefixed = exif.toString('latin1', 0, PREFIX.length) === PREFIX;
  try {
    return orientationOf(readDirectory(isPrefixed ? exif.subarray(PREFIX.length) : exif));
  } catch (error) {
    if (error instanceof RangeError) return 1;
    throw error;
  }
}

/** The orientation in a directory. */
export function orientationOf(fields: Fields): number {
  const [value = 1] = fields.get(ORIENTATION) ?? [];
  return value >= 1 && value <= 8 ? value : 1;
}
