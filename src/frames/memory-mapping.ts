import type { FileHandle } from 'node:fs/promises';

/** Maps the first bytes of an open file, shared and writable. */
export type Mapper = (file: FileHandle, length: number) => MappedFile;

/** The part of koffi that is used here. It is an optional peer dependency: hosts without it write through the file. */
interface Koffi {
  load(library: string): { func(signature: string): (...args: unknown[]) => unknown };
  view(pointer: unknown, length: number): ArrayBuffer;
  address(pointer: unknown): bigint;
}

/** mmap(2) and munmap(2). */
interface MemoryCalls {
  koffi: Koffi;
  mmap: (...args: unknown[]) => unknown;
  munmap: (...args: unknown[]) => unknown;
}

const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
/** Scrap memory is nearly never written to: it need not be there. */
const MAP_NORESERVE = 0x4000;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Where mmap's offset has 64 bits, and its constants are those above. */
const ARCHITECTURES: ReadonlySet<string> = new Set(['x64', 'arm64', 'loong64', 'ppc64', 'riscv64', 's390x']);
/** By the name of glibc; musl takes every `libc.…` for itself. */
const C_LIBRARY = 'libc.so.6';

/**
 * A mapper over mmap(2) through koffi; undefined where koffi is not installed, or the platform has no such mmap.
 * Frames are then written through their files.
 */
export async function loadMapper(
  platform: NodeJS.Platform = process.platform,
  load: () => Promise<unknown> = () => import('koffi'),
): Promise<Mapper | undefined> {
  if (platform !== 'linux' || !ARCHITECTURES.has(process.arch)) return undefined;
  try {
    const module = (await load()) as { default?: unknown };
    const koffi = (module.default ?? module) as Koffi;
    const libc = koffi.load(C_LIBRARY);
    const calls: MemoryCalls = {
      koffi,
      mmap: libc.func('void *mmap(void *, size_t, int, int, int, int64_t)'),
      munmap: libc.func('int munmap(void *, size_t)'),
    };
    return (file, length) => new MappedFile(calls, file, length);
  } catch {
    return undefined; // not installed, or not for this system
  }
}

/**
 * A file in memory. JavaScript cannot take a view back (a buffer over foreign memory is not transferable), so a view
 * that was handed out is made harmless instead: scrap memory takes the place of the file at its address, and the file
 * gets a new address. The scrap goes when the garbage collector has taken the last view on it.
 */
export class MappedFile {
  readonly #calls: MemoryCalls;
  readonly #file: FileHandle;
  readonly #length: number;
  readonly #scrap: FinalizationRegistry<unknown>;
  #current: { pointer: unknown; buffer: ArrayBuffer } | undefined;

  constructor(calls: MemoryCalls, file: FileHandle, length: number) {
    this.#calls = calls;
    this.#file = file;
    this.#length = length;
    this.#scrap = new FinalizationRegistry((pointer) => {
      calls.munmap(pointer, length);
    });
  }

  /** The content of the file itself. */
  get buffer(): ArrayBuffer {
    this.#current ??= this.#map();
    return this.#current.buffer;
  }

  /** Parts every view on {@link buffer} from the file. */
  revoke(): void {
    if (!this.#current) return;
    const { pointer, buffer } = this.#current;
    this.#current = undefined;
    this.#place(pointer, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    this.#scrap.register(buffer, pointer);
  }

  #map(): { pointer: unknown; buffer: ArrayBuffer } {
    const pointer = this.#place(null, MAP_SHARED, this.#file.fd);
    return { pointer, buffer: this.#calls.koffi.view(pointer, this.#length) };
  }

  #place(address: unknown, flags: number, fd: number): unknown {
    const { koffi, mmap } = this.#calls;
    const pointer = mmap(address, this.#length, PROT_READ_WRITE, flags, fd, 0);
    if (pointer === null || koffi.address(pointer) === MAP_FAILED) {
      throw new Error(`mmap of ${this.#length} bytes failed`);
    }
    return pointer;
  }
}
