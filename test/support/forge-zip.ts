import { crc32, deflateRawSync } from 'node:zlib';

/** Fields of a local or central header that can be bent; what is left out is honest. */
export interface HeaderFields {
  signature?: number;
  flags?: number;
  method?: number;
  crc?: number;
  packed?: number;
  size?: number;
  name?: string | Buffer;
  extra?: Buffer;
}

/** Fields of a central header alone. */
export interface CentralFields extends HeaderFields {
  madeBy?: number;
  versionNeeded?: number;
  disk?: number;
  external?: number;
  offset?: number;
  comment?: Buffer;
}

/** An entry to forge: honest but for what is said otherwise. */
export interface ForgedEntry {
  name: string | Buffer;
  data?: Buffer | string;
  /** @defaultValue 8, for folders 0 */
  method?: number;
  /** Packed bytes instead of those the method gives. */
  packed?: Buffer;
  /** General purpose flag of both headers. @defaultValue 0x800, UTF-8 */
  flags?: number;
  /** Unix mode with file type. @defaultValue regular file or folder */
  mode?: number;
  /** Extra field of both headers. */
  extra?: Buffer;
  local?: HeaderFields;
  central?: CentralFields;
  /** Follows the data; `true` writes the usual one of 16 bytes. */
  descriptor?: Buffer | true;
  /** Bytes before the local header and after the data or descriptor. */
  before?: Buffer;
  after?: Buffer;
  /** Leave out one of the headers (with the data, for the local one). */
  omit?: 'local' | 'central';
}

/** How the archive around the entries differs from an honest one. */
export interface ForgedArchive {
  preamble?: Buffer;
  beforeDirectory?: Buffer;
  afterDirectory?: Buffer;
  comment?: Buffer;
  trailing?: Buffer;
  end?: {
    entries?: number;
    entriesOnDisk?: number;
    bytes?: number;
    offset?: number;
    disk?: number;
    commentBytes?: number;
  };
  /** Write a zip64 end record and locator, bent as said, and defer to them from the plain record. */
  zip64?: {
    defer?: boolean;
    entries?: bigint;
    bytes?: bigint;
    offset?: bigint;
    locatorOffset?: bigint;
    signature?: number;
    between?: Buffer;
    /** Size of the record after this field. @defaultValue 44 */
    remaining?: bigint;
    disks?: number;
  };
}

const EMPTY = Buffer.alloc(0);

/** Bytes of a zip archive, honest or not, as told. */
export function forgeZip(entries: readonly ForgedEntry[], archive: ForgedArchive = {}): Buffer {
  const parts: Buffer[] = [archive.preamble ?? EMPTY];
  const centrals: Buffer[] = [];
  let offset = parts[0]?.length ?? 0;
  const append = (part: Buffer) => {
    parts.push(part);
    offset += part.length;
  };
  for (const entry of entries) {
    append(entry.before ?? EMPTY);
    const facts = factsOf(entry);
    const at = offset;
    if (entry.omit !== 'local') {
      append(localHeader(facts, entry));
      append(facts.packedBytes);
      if (entry.descriptor) append(entry.descriptor === true ? descriptor(facts) : entry.descriptor);
    }
    append(entry.after ?? EMPTY);
    if (entry.omit !== 'central') centrals.push(centralHeader(facts, entry, at));
  }
  append(archive.beforeDirectory ?? EMPTY);
  const directory = Buffer.concat(centrals);
  const directoryStart = offset;
  append(directory);
  append(archive.afterDirectory ?? EMPTY);
  const count = centrals.length;
  if (archive.zip64)
    append(zip64End(archive.zip64, { count, bytes: directory.length, directoryStart, at: offset }));
  append(endRecord(archive, { count, bytes: directory.length, directoryStart }));
  append(archive.trailing ?? EMPTY);
  return Buffer.concat(parts);
}

interface Facts {
  name: Buffer;
  isFolder: boolean;
  packedBytes: Buffer;
  honest: Required<Pick<HeaderFields, 'flags' | 'method' | 'crc' | 'packed' | 'size' | 'name' | 'extra'>>;
}

function factsOf(entry: ForgedEntry): Facts {
  const name = Buffer.from(entry.name as string);
  const isFolder = /[/\\]$/.test(name.toString('latin1'));
  const content = Buffer.from((entry.data ?? '') as string);
  const method = entry.method ?? (isFolder ? 0 : 8);
  const packedBytes = entry.packed ?? (method === 8 ? deflateRawSync(content) : content);
  return {
    name,
    isFolder,
    packedBytes,
    honest: {
      flags: (entry.flags ?? 0x800) | (entry.descriptor ? 8 : 0),
      method,
      crc: crc32(content),
      packed: packedBytes.length,
      size: content.length,
      name,
      extra: entry.extra ?? EMPTY,
    },
  };
}

/** The twenty bytes both headers share, from the flags to the extra field's length. */
function sharedFields(fields: Facts['honest']): Buffer {
  const shared = Buffer.alloc(24);
  shared.writeUInt16LE(fields.flags, 0);
  shared.writeUInt16LE(fields.method, 2);
  shared.writeUInt16LE(0x21, 6);
  shared.writeUInt32LE(fields.crc >>> 0, 8);
  shared.writeUInt32LE(fields.packed, 12);
  shared.writeUInt32LE(fields.size, 16);
  shared.writeUInt16LE(Buffer.from(fields.name as string).length, 20);
  shared.writeUInt16LE(fields.extra.length, 22);
  return shared;
}

function localHeader({ honest }: Facts, entry: ForgedEntry): Buffer {
  const descriptive = entry.descriptor ? { crc: 0, packed: 0, size: 0 } : {};
  const fields = { ...honest, ...descriptive, ...entry.local };
  const head = Buffer.alloc(6);
  head.writeUInt32LE(fields.signature ?? 0x04034b50, 0);
  head.writeUInt16LE(20, 4);
  return Buffer.concat([head, sharedFields(fields), Buffer.from(fields.name as string), fields.extra]);
}

function centralHeader({ honest, isFolder }: Facts, entry: ForgedEntry, at: number): Buffer {
  const fields = { ...honest, ...entry.central };
  const head = Buffer.alloc(8);
  head.writeUInt32LE(fields.signature ?? 0x02014b50, 0);
  head.writeUInt16LE(fields.madeBy ?? (3 << 8) | 20, 4);
  head.writeUInt16LE(fields.versionNeeded ?? 20, 6);
  const tail = Buffer.alloc(14);
  const mode = entry.mode ?? (isFolder ? 0o040755 : 0o100644);
  tail.writeUInt16LE(fields.comment?.length ?? 0, 0);
  tail.writeUInt16LE(fields.disk ?? 0, 2);
  tail.writeUInt32LE(fields.external ?? (mode << 16) >>> 0, 6);
  tail.writeUInt32LE(fields.offset ?? at, 10);
  return Buffer.concat([
    head,
    sharedFields(fields),
    tail,
    Buffer.from(fields.name as string),
    fields.extra,
    fields.comment ?? EMPTY,
  ]);
}

function descriptor({ honest }: Facts): Buffer {
  return descriptorOf(honest.crc, honest.packed, honest.size, { signed: true, wide: false });
}

/** A data descriptor in one of its four forms. */
export function descriptorOf(
  crc: number,
  packed: number,
  size: number,
  form: { signed: boolean; wide: boolean },
): Buffer {
  const bytes = Buffer.alloc(form.wide ? 24 : 16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc >>> 0, 4);
  if (form.wide) {
    bytes.writeBigUInt64LE(BigInt(packed), 8);
    bytes.writeBigUInt64LE(BigInt(size), 16);
  } else {
    bytes.writeUInt32LE(packed, 8);
    bytes.writeUInt32LE(size, 12);
  }
  return form.signed ? bytes : bytes.subarray(4);
}

interface DirectoryFacts {
  count: number;
  bytes: number;
  directoryStart: number;
}

function endRecord(archive: ForgedArchive, facts: DirectoryFacts): Buffer {
  const defer = archive.zip64?.defer ?? archive.zip64 !== undefined;
  const { end = {}, comment = EMPTY } = archive;
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(end.disk ?? 0, 4);
  record.writeUInt16LE(end.entriesOnDisk ?? end.entries ?? (defer ? 0xffff : facts.count), 8);
  record.writeUInt16LE(end.entries ?? (defer ? 0xffff : facts.count), 10);
  record.writeUInt32LE(end.bytes ?? (defer ? 0xffffffff : facts.bytes), 12);
  record.writeUInt32LE(end.offset ?? (defer ? 0xffffffff : facts.directoryStart), 16);
  record.writeUInt16LE(end.commentBytes ?? comment.length, 20);
  return Buffer.concat([record, comment]);
}

function zip64End(
  zip64: NonNullable<ForgedArchive['zip64']>,
  facts: DirectoryFacts & { at: number },
): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(zip64.signature ?? 0x06064b50, 0);
  record.writeBigUInt64LE(zip64.remaining ?? 44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(zip64.entries ?? BigInt(facts.count), 24);
  record.writeBigUInt64LE(zip64.entries ?? BigInt(facts.count), 32);
  record.writeBigUInt64LE(zip64.bytes ?? BigInt(facts.bytes), 40);
  record.writeBigUInt64LE(zip64.offset ?? BigInt(facts.directoryStart), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(zip64.locatorOffset ?? BigInt(facts.at), 8);
  locator.writeUInt32LE(zip64.disks ?? 1, 16);
  return Buffer.concat([record, zip64.between ?? EMPTY, locator]);
}

export function extraField(identifier: number, content: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(identifier, 0);
  head.writeUInt16LE(content.length, 2);
  return Buffer.concat([head, content]);
}

/** A Unicode path field (0x7075) that says `path`, made for the name `forName`. */
export function unicodePathField(path: string | Buffer, forName: string | Buffer, version = 1): Buffer {
  const content = Buffer.alloc(5);
  content.writeUInt8(version, 0);
  content.writeUInt32LE(crc32(Buffer.from(forName as string)), 1);
  return extraField(0x7075, Buffer.concat([content, Buffer.from(path as string)]));
}

/** A zip64 field with these 64-bit numbers. */
export function zip64Field(...numbers: bigint[]): Buffer {
  const content = Buffer.alloc(numbers.length * 8);
  numbers.forEach((number, index) => content.writeBigUInt64LE(number, index * 8));
  return extraField(1, content);
}
