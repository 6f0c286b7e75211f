import { deflateRawSync } from 'node:zlib';
import { DEFLATED, STORED } from '../package/archive/format.js';
import {
  centralHeader,
  endRecords,
  FOLDER,
  localHeader,
  REGULAR_FILE,
} from '../package/archive/write-headers.js';
import { crc32 } from '../package/crc32.js';

/** One entry to write. A name that ends in `/` is a folder. */
export interface ZipEntry {
  /** Path, with `/`. */
  name: string;
  /** Its content. */
  data?: Uint8Array | string;
  /** Store instead of deflate. @defaultValue false */
  stored?: boolean;
  /** Unix permission bits. @defaultValue 0o644, 0o755 for folders */
  mode?: number;
}

/**
 * A plain zip archive of the given entries, in order (PKWARE APPNOTE 6.3.10).
 *
 * @example
 * ```ts
 * const hostile = writeZip([{ name: '../outside.txt', data: 'x' }, { name: 'link', data: '/etc', mode: 0o777 }]);
 * ```
 */
export function writeZip(entries: readonly ZipEntry[], comment = ''): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const isFolder = entry.name.endsWith('/');
    const name = Buffer.from(entry.name, 'utf8');
    const content = Buffer.from(entry.data ?? '');
    const deflated = entry.stored === true || isFolder ? content : deflateRawSync(content);
    const useStored = deflated.length >= content.length;
    const body = useStored ? content : deflated;

    const sizes = { packedBytes: body.length, sizeBytes: content.length };
    const described = { name, method: useStored ? STORED : DEFLATED, crc: crc32(content), ...sizes };
    const mode = isFolder ? FOLDER | (entry.mode ?? 0o755) : REGULAR_FILE | (entry.mode ?? 0o644);
    const header = localHeader(described);
    locals.push(header, body);
    centrals.push(centralHeader(described, mode, offset));
    offset += header.length + body.length;
  }
  const directory = Buffer.concat(centrals);
  const end = endRecords({ entries: entries.length, bytes: directory.length, offset, comment });
  return Buffer.concat([...locals, directory, end]);
}
