/** Reads a part of a file: shorter than asked for where the file ends. */
export type ReadPart = (offset: number, length: number) => Promise<Buffer>;

/** A shared library that another file needs by name. */
export interface NeededVersion {
  /** Name of the library. */
  library: string;
  /** Version of its interface, such as `GLIBC_2.34`. */
  version: string;
}

/** What a compiled file says of what it needs. */
export interface Binary {
  format: 'elf' | 'pe';
  /** Bits of an address. */
  bits: 32 | 64;
  /** Processor, as Node names it in `process.arch` where it has a name; else the number of the format. */
  arch: string;
  /** Name that others ask for it by (`DT_SONAME`). */
  soname?: string;
  /** Names of libraries that must be there before it can be loaded, in their order. */
  needed: string[];
  /** Libraries that are loaded at the first call (delay imports of PE): their lack shows only then. */
  delayed: string[];
  /** Folders to look in before all others (`DT_RPATH`), as they are written. It counts where there is no `runpath`. */
  rpath: string[];
  /** Folders to look in after `LD_LIBRARY_PATH` (`DT_RUNPATH`), as they are written. */
  runpath: string[];
  /** Versions that it needs of libraries (`DT_VERNEED`); weak ones are left out. */
  versions: NeededVersion[];
  /** Versions that it has itself (`DT_VERDEF`). */
  provides: string[];
}

/** A file that begins as a compiled one and cannot be one. */
export class BinaryFault extends Error {
  constructor(fault: string) {
    super(fault);
    this.name = 'BinaryFault';
  }
}

/** Longest name of a library that is believed. */
export const MOST_NAME_BYTES = 4096;
/** Most entries of any list: a damaged file must not keep the reader busy. */
export const MOST_ENTRIES = 65_536;

/** Exactly so many bytes. @throws BinaryFault where the file ends before */
export async function exactly(read: ReadPart, offset: number, length: number): Promise<Buffer> {
  if (offset < 0 || length < 0) throw new BinaryFault('it names a place before its begin');
  const part = await read(offset, length);
  if (part.length < length) throw new BinaryFault(`it ends before byte ${offset + length}, which it names`);
  return part;
}

/** A text that ends with a NUL. */
export async function textAt(read: ReadPart, offset: number): Promise<string> {
  for (let length = 128; ; length *= 4) {
    const part = await read(offset, length);
    const end = part.indexOf(0);
    if (end >= 0) return part.toString('utf8', 0, end);
    if (part.length < length || length > MOST_NAME_BYTES) throw new BinaryFault('a name in it has no end');
  }
}
