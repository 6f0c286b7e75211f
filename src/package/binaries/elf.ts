import {
  BinaryFault,
  exactly,
  MOST_ENTRIES,
  textAt,
  type Binary,
  type NeededVersion,
  type ReadPart,
} from './binary.js';

const MAGIC = 0x7f454c46;
/** e_machine (elf(5)) and `process.arch`. */
const ARCHITECTURES: Readonly<Record<number, string>> = {
  3: 'ia32',
  8: 'mips',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_SONAME = 14n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;
const DT_VERDEF = 0x6ffffffcn;
const DT_VERDEFNUM = 0x6ffffffdn;
const DT_VERNEED = 0x6ffffffen;
const DT_VERNEEDNUM = 0x6fffffffn;
/** Of a version that may be missing (`VER_FLG_WEAK`), and of the name of the library itself (`VER_FLG_BASE`). */
const WEAK = 2;
const BASE = 1;

/** Numbers of a file in its own order of bytes. */
interface Numbers {
  u16(at: number): number;
  u32(at: number): number;
  u64(at: number): bigint;
}

/**
 * Reads what an ELF file needs, by its program headers: section headers may be stripped (System V gABI, chapter 5, and the
 * LSB for versions). A file without a dynamic section needs nothing.
 *
 * @returns undefined for a file that is no ELF
 * @throws BinaryFault
 */
export async function readElf(read: ReadPart): Promise<Binary | undefined> {
  const ident = await read(0, 64);
  if (ident.length < 4 || ident.readUInt32BE(0) !== MAGIC) return undefined;
  if (ident.length < 52) throw new BinaryFault('it ends within its header');
  const is64 = ident[4] === 2;
  if (!is64 && ident[4] !== 1) throw new BinaryFault(`it has no known class (${ident[4]})`);
  if (is64 && ident.length < 64) throw new BinaryFault('it ends within its header');
  const little = ident[5] === 1;
  if (!little && ident[5] !== 2) throw new BinaryFault(`it has no known order of bytes (${ident[5]})`);
  const head = numbersOf(ident, little);
  const machine = head.u16(18);
  const binary: Binary = {
    ...{ format: 'elf', bits: is64 ? 64 : 32, arch: ARCHITECTURES[machine] ?? `machine ${machine}` },
    ...{ needed: [], delayed: [], rpath: [], runpath: [], versions: [], provides: [] },
  };
  const word = (from: Numbers, at32: number, at64: number) =>
    is64 ? asOffset(from.u64(at64)) : from.u32(at32);
  const tableAt = word(head, 28, 32);
  const size = head.u16(is64 ? 54 : 42);
  const count = head.u16(is64 ? 56 : 44);
  if (count === 0) return binary;
  // As the dynamic linkers: with another size a damaged file could name gigabytes of headers.
  if (size !== (is64 ? 56 : 32))
    throw new BinaryFault('its program headers have a length that no system knows');
  const table = numbersOf(await exactly(read, tableAt, size * count), little);
  const segments: { address: number; offset: number; length: number }[] = [];
  let dynamic: { offset: number; length: number } | undefined;
  for (let index = 0; index < count; index++) {
    const at = index * size;
    const kind = table.u32(at);
    const offset = word(table, at + 4, at + 8);
    const length = word(table, at + 16, at + 32);
    if (kind === PT_LOAD) segments.push({ offset, length, address: word(table, at + 8, at + 16) });
    if (kind === PT_DYNAMIC) dynamic = { offset, length };
  }
  if (!dynamic) return binary;
  const entries = await readDynamic(read, dynamic, { is64, little });
  const placeOf = (address: bigint | undefined) => {
    if (address === undefined) return undefined;
    const wanted = asOffset(address);
    const segment = segments.find((one) => wanted >= one.address && wanted < one.address + one.length);
    if (!segment) throw new BinaryFault('its dynamic section leads out of it');
    return segment.offset + wanted - segment.address;
  };
  const first = (tag: bigint) => entries.find(([found]) => found === tag)?.[1];
  const strings = placeOf(first(DT_STRTAB));
  if (strings === undefined) return binary;
  const named = (at: bigint | number) => textAt(read, strings + asOffset(BigInt(at)));
  for (const [tag, value] of entries) {
    if (tag === DT_NEEDED) binary.needed.push(await named(value));
    else if (tag === DT_SONAME) binary.soname = await named(value);
    else if (tag === DT_RPATH) binary.rpath = foldersIn(await named(value));
    else if (tag === DT_RUNPATH) binary.runpath = foldersIn(await named(value));
  }
  const lists = { read, little, named };
  binary.versions = await neededVersions(lists, placeOf(first(DT_VERNEED)), first(DT_VERNEEDNUM));
  binary.provides = await definedVersions(lists, placeOf(first(DT_VERDEF)), first(DT_VERDEFNUM));
  return binary;
}

async function readDynamic(
  read: ReadPart,
  { offset, length }: { offset: number; length: number },
  { is64, little }: { is64: boolean; little: boolean },
): Promise<[tag: bigint, value: bigint][]> {
  const step = is64 ? 16 : 8;
  if (length / step > MOST_ENTRIES) throw new BinaryFault('its dynamic section is too long');
  const from = numbersOf(await exactly(read, offset, length), little);
  const entries: [bigint, bigint][] = [];
  for (let at = 0; at + step <= length; at += step) {
    const tag = is64 ? from.u64(at) : BigInt(from.u32(at));
    if (tag === DT_NULL) break;
    entries.push([tag, is64 ? from.u64(at + 8) : BigInt(from.u32(at + 4))]);
  }
  return entries;
}

/** How lists of versions are read. */
interface Lists {
  read: ReadPart;
  little: boolean;
  named: (at: number) => Promise<string>;
}

/** Elfxx_Verneed and Elfxx_Vernaux: alike in both classes. */
async function neededVersions(
  { read, little, named }: Lists,
  start: number | undefined,
  count = 0n,
): Promise<NeededVersion[]> {
  const found: NeededVersion[] = [];
  let at = start;
  for (let left = most(count); at !== undefined && left > 0; left--) {
    const need = numbersOf(await exactly(read, at, 16), little);
    const library = await named(need.u32(4));
    let inner = at + need.u32(8);
    for (let more = need.u16(2); more > 0; more--) {
      const aux = numbersOf(await exactly(read, inner, 16), little);
      if ((aux.u16(4) & WEAK) === 0) found.push({ library, version: await named(aux.u32(8)) });
      if (found.length > MOST_ENTRIES) throw new BinaryFault('it needs too many versions');
      if (aux.u32(12) === 0) break;
      inner += aux.u32(12);
    }
    at = need.u32(12) === 0 ? undefined : at + need.u32(12);
  }
  return found;
}

/** Elfxx_Verdef and the first Elfxx_Verdaux of each, which has its name. */
async function definedVersions(
  { read, little, named }: Lists,
  start: number | undefined,
  count = 0n,
): Promise<string[]> {
  const found: string[] = [];
  let at = start;
  for (let left = most(count); at !== undefined && left > 0; left--) {
    const definition = numbersOf(await exactly(read, at, 20), little);
    const aux = numbersOf(await exactly(read, at + definition.u32(12), 8), little);
    if ((definition.u16(2) & BASE) === 0) found.push(await named(aux.u32(0)));
    at = definition.u32(16) === 0 ? undefined : at + definition.u32(16);
  }
  return found;
}

function most(count: bigint): number {
  return Number(count < BigInt(MOST_ENTRIES) ? count : BigInt(MOST_ENTRIES));
}

function foldersIn(text: string): string[] {
  return text.split(':').filter((folder) => folder !== '');
}

function asOffset(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BinaryFault('it names a place that no file has');
  return Number(value);
}

function numbersOf(buffer: Buffer, little: boolean): Numbers {
  return little
    ? {
        u16: (at) => buffer.readUInt16LE(at),
        u32: (at) => buffer.readUInt32LE(at),
        u64: (at) => buffer.readBigUInt64LE(at),
      }
    : {
        u16: (at) => buffer.readUInt16BE(at),
        u32: (at) => buffer.readUInt32BE(at),
        u64: (at) => buffer.readBigUInt64BE(at),
      };
}
