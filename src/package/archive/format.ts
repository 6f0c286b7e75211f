/**
 * Numbers of the zip format (PKWARE APPNOTE.TXT 6.3.10, section 4.3). All fields are unsigned and little-endian.
 */

/** Signatures, 32 bits. */
export const LOCAL_HEADER = 0x04034b50;
export const CENTRAL_HEADER = 0x02014b50;
export const DATA_DESCRIPTOR = 0x08074b50;
export const END_RECORD = 0x06054b50;
export const ZIP64_END_RECORD = 0x06064b50;
export const ZIP64_LOCATOR = 0x07064b50;

/** Sizes of the fixed parts, in bytes. */
export const LOCAL_HEADER_BYTES = 30;
export const CENTRAL_HEADER_BYTES = 46;
export const END_RECORD_BYTES = 22;
export const ZIP64_END_RECORD_BYTES = 56;
export const ZIP64_LOCATOR_BYTES = 20;

/** A 16- or 32-bit field with this value says: see the zip64 record. */
export const SEE_ZIP64_16 = 0xffff;
export const SEE_ZIP64_32 = 0xffff_ffff;

/** Bits of the general purpose flag. */
export const FLAG_ENCRYPTED = 1 << 0;
export const FLAG_DATA_DESCRIPTOR = 1 << 3;
export const FLAG_PATCHED = 1 << 5;
export const FLAG_STRONG_ENCRYPTION = 1 << 6;
export const FLAG_UTF8 = 1 << 11;
export const FLAG_MASKED_HEADERS = 1 << 13;

/** The newest version of the format, 6.3; an entry that needs another is read by nobody or by each in its own way. */
export const NEWEST_VERSION = 63;

/** Compression methods that are read, the last where this Node has it. */
export const STORED = 0;
export const DEFLATED = 8;
export const ZSTANDARD = 93;

/** Extra fields that mean something to us. */
export const EXTRA_ZIP64 = 0x0001;
export const EXTRA_UNICODE_PATH = 0x7075;

/** A 64-bit field; undefined past 2^53, which no file reaches. */
export function readUint64(buffer: Buffer, offset: number): number | undefined {
  const value = buffer.readBigUInt64LE(offset);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}
