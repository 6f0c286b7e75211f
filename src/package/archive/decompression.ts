import * as zlib from 'node:zlib';
import type { InflateRaw, ZlibOptions } from 'node:zlib';
import type { ZSTANDARD } from './format.js';
import { DEFLATED } from './format.js';

/** A content and how many packed bytes it took. */
export interface Inflated {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/** How entries of one method become their content. Both end with the stream: bytes after it are left over. */
export interface Decompression {
  /** A stream that gives at most `chunkSize` bytes at a time. */
  stream: (options: { chunkSize: number }) => InflateRaw;
  /** At once, to at most `maxOutputLength` bytes. */
  atOnce: (packed: Buffer, options: ZlibOptions & { info: true }) => Buffer | Inflated;
}

/** What Node has since 22.15 and 23.8: one frame of Zstandard (RFC 8878) with a window of at most 128 MiB. */
type Newer = Partial<{
  createZstdDecompress: Decompression['stream'];
  zstdDecompressSync: Decompression['atOnce'];
}>;

const { createZstdDecompress, zstdDecompressSync } = zlib as typeof zlib & Newer;

const deflate: Decompression = {
  stream: (options) => zlib.createInflateRaw(options),
  atOnce: (packed, options) => zlib.inflateRawSync(packed, options),
};

const zstandard: Decompression | undefined = createZstdDecompress &&
  zstdDecompressSync && { stream: createZstdDecompress, atOnce: zstdDecompressSync };

/** Whether this Node reads entries compressed by Zstandard. */
export const READS_ZSTANDARD = zstandard !== undefined;

/** How the entries of a method are unpacked; the directory's reader refuses what has none. */
export function decompressionOf(method: typeof DEFLATED | typeof ZSTANDARD): Decompression {
  const found = method === DEFLATED ? deflate : zstandard;
  if (!found) throw new Error(`no decompression of method ${method}`);
  return found;
}
