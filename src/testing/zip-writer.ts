import { deflateRawSync } from 'node:zlib';
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

/** All sizes and offsets fit 32 bits: packages for tests are small. */
const MAX_UINT32 = 0xffff_ffff;
const LOCAL_HEADER_BYTES = 30;
const CENTRAL_HEADER_BYTES = 46;
const END_RECORD_BYTES = 22;
/** 1 January 1980, the earliest date of the format: equal input gives equal bytes. */
const DOS_DATE = 0x0021;
const UTF8_FLAG = 0x0800;
const MADE_ON_UNIX = (3 << 8) | 20;

/**
 * A plain zip archive of the given entries, in order (PKWARE APPNOTE 6.3.9, without zip64).
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

    const local = Buffer.alloc(LOCAL_HEADER_BYTES);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(UTF8_FLAG, 6);
    local.writeUInt16LE(useStored ? 0 : 8, 8);
    local.writeUInt16LE(DOS_DATE, 12);
    local.writeUInt32LE(crc32(content), 14);
    local.writeUInt32LE(body.length, 18);
    local.writeUInt32LE(content.length, 22);
    local.writeUInt16LE(name.length, 26);

    const central = Buffer.alloc(CENTRAL_HEADER_BYTES);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(MADE_ON_UNIX, 4);
    local.copy(central, 6, 4, 30); // version needed to name length: the same fields in the same order
    const mode = (isFolder ? 0o040000 : 0o100000) | (entry.mode ?? (isFolder ? 0o755 : 0o644));
    central.writeUInt32LE(((mode << 16) | (isFolder ? 0x10 : 0)) >>> 0, 38);
    central.writeUInt32LE(offset, 42);

    locals.push(local, name, body);
    centrals.push(central, name);
    offset += local.length + name.length + body.length;
  }
  const directory = Buffer.concat(centrals);
  const note = Buffer.from(comment, 'utf8');
  if (offset + directory.length > MAX_UINT32 || entries.length >= 0xffff) {
    throw new RangeError('writeZip makes no zip64 archives: at most 65,534 entries and 4 GiB');
  }
  const end = Buffer.alloc(END_RECORD_BYTES);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(note.length, 20);
  return Buffer.concat([...locals, directory, end, note]);
}
