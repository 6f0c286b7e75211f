import { copyOut } from './copy-out.js';
import type { MemoryCalls } from './memory-calls.js';
import type { SlotMemory } from './slot-memory.js';

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
const F_ADD_SEALS = 1033;
const F_SEAL_SHRINK = 0x2;
const F_SEAL_GROW = 0x4;
/** Linux 5.1: mappings that are there stay writable, nothing else can be written, mapped writable or punched out. */
const F_SEAL_FUTURE_WRITE = 0x10;
const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
/** Scrap memory is nearly never written to: it need not be there. */
const MAP_NORESERVE = 0x4000;
const MREMAP_MAYMOVE = 0x1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
/** `ENOSPC` and `ENOMEM` by their numbers (errno(3)), for messages. */
const ERRORS = new Map([
  [1, 'EPERM'],
  [12, 'ENOMEM'],
  [22, 'EINVAL'],
  [23, 'ENFILE'],
  [24, 'EMFILE'],
  [28, 'ENOSPC'],
]);

/**
 * Memory without a name in any folder (memfd_create(2)), of a size that cannot change any more, which this process alone
 * can write. So no access of this process to it can end in SIGBUS: nobody can shorten it, and it has all its pages from
 * the start. Others get its descriptor, and can read and map it privately, nothing else.
 *
 * JavaScript cannot take a view back (a buffer over foreign memory is not transferable). A view that was handed out is made
 * harmless instead: scrap memory takes the place of the pages at its address, and the pages get a new address. The scrap
 * goes when the garbage collector has taken the last view on it.
 */
export class SharedMemory implements SlotMemory {
  /** To be passed on; not to be closed. */
  readonly descriptor: number;
  readonly name = undefined;
  readonly isCrowded = false;
  readonly length: number;
  readonly #calls: MemoryCalls;
  readonly #scrap: FinalizationRegistry<unknown>;
  #current: { pointer: unknown; buffer: ArrayBuffer } | undefined;

  private constructor(calls: MemoryCalls, descriptor: number, length: number) {
    this.#calls = calls;
    this.descriptor = descriptor;
    this.length = length;
    this.#scrap = new FinalizationRegistry((pointer) => {
      calls.munmap(pointer, length);
    });
  }

  /** Memory that this process can write through {@link buffer}. @throws Error with the `code` of the system */
  static async create(calls: MemoryCalls, name: string, length: number): Promise<SharedMemory> {
    const memory = new SharedMemory(calls, await reserve(calls, name, length), length);
    try {
      memory.#map();
      seal(calls, memory.descriptor, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
      return memory;
    } catch (error) {
      await memory.close();
      throw error;
    }
  }

  /** Whether this system has such memory: a kernel before 5.1 does not, nor does a container that forbids the call. */
  static async isThere(calls: MemoryCalls): Promise<boolean> {
    try {
      const memory = await SharedMemory.create(calls, 'procvision-trial', 1);
      memory.revoke(); // duplicates the mapping, which is what else could be missing
      await memory.close();
      return true;
    } catch {
      return false;
    }
  }

  /** The memory itself. */
  get buffer(): ArrayBuffer {
    if (!this.#current) throw new Error('the memory was given back');
    return this.#current.buffer;
  }

  /** Parts every view on {@link buffer} from the memory. */
  revoke(): void {
    if (!this.#current) return;
    const { pointer, buffer } = this.#current;
    // A mapping that is made anew could not be written any more. With an old size of 0 the present one is duplicated
    // (mremap(2)), and the pages are never without an address.
    const { koffi, mremap } = this.#calls;
    const moved = this.#checked(mremap(pointer, 0, this.length, MREMAP_MAYMOVE), 'mremap');
    this.#abandon(pointer, buffer);
    this.#current = { pointer: moved, buffer: koffi.view(moved, this.length) };
  }

  renew(): void {
    // Views that were revoked see other pages already.
  }

  /** By the descriptor, not by an address: a view may be revoked while another thread writes. */
  copyTo(file: string, length: number): Promise<void> {
    return copyOut(this.descriptor, length, file);
  }

  /** Gives the memory up; who holds the descriptor, or has mapped it, keeps it. */
  async close(): Promise<void> {
    if (this.#current) {
      const { pointer, buffer } = this.#current;
      this.#current = undefined;
      this.#abandon(pointer, buffer);
    }
    await close(this.#calls, this.descriptor);
  }

  #map(): void {
    const { koffi, mmap } = this.#calls;
    const pointer = this.#checked(
      mmap(null, this.length, PROT_READ_WRITE, MAP_SHARED, this.descriptor, 0),
      'mmap',
    );
    this.#current = { pointer, buffer: koffi.view(pointer, this.length) };
  }

  #abandon(pointer: unknown, buffer: ArrayBuffer): void {
    const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
    this.#checked(this.#calls.mmap(pointer, this.length, PROT_READ_WRITE, flags, -1, 0), 'mmap');
    this.#scrap.register(buffer, pointer);
  }

  #checked(pointer: unknown, what: string): unknown {
    const { koffi } = this.#calls;
    if (pointer === null || koffi.address(pointer) === MAP_FAILED) throw failure(this.#calls, what);
    return pointer;
  }
}

/**
 * All pages are there before it is written to: where there is no room for them that is an error here, and not a signal at
 * the first write. Done on another thread, because the system clears the pages.
 */
async function reserve(calls: MemoryCalls, name: string, length: number): Promise<number> {
  const descriptor = calls.memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) as number;
  if (descriptor < 0) throw failure(calls, 'memfd_create');
  try {
    if (calls.ftruncate(descriptor, length) !== 0) throw failure(calls, 'ftruncate');
    await new Promise<void>((resolve, reject) => {
      const take = (error: Error | null, result: number) => {
        // The number of the failure belongs to the other thread; there is one for which this call fails.
        if (error) reject(error);
        else if (result === 0) resolve();
        else reject(Object.assign(new Error('there is no memory left for it'), { code: 'ENOSPC' }));
      };
      try {
        calls.fallocate.async(descriptor, 0, 0, length, take);
      } catch {
        take(null, calls.fallocate(descriptor, 0, 0, length) as number); // koffi has 256 under way
      }
    });
    return descriptor;
  } catch (error) {
    await close(calls, descriptor);
    throw error;
  }
}

/** Not by `fs.close`: in a thread Node warns of a descriptor that it has not opened. Elsewhere, for the pages are freed. */
function close(calls: MemoryCalls, descriptor: number): Promise<void> {
  return new Promise((resolve) => {
    try {
      calls.close.async(descriptor, () => {
        resolve();
      });
    } catch {
      calls.close(descriptor); // koffi has 256 under way
      resolve();
    }
  });
}

function seal(calls: MemoryCalls, descriptor: number, seals: number): void {
  if (calls.fcntl(descriptor, F_ADD_SEALS, 'int', seals) !== 0) throw failure(calls, 'fcntl(F_ADD_SEALS)');
}

function failure(calls: MemoryCalls, what: string): Error {
  const number = calls.koffi.errno();
  const code = ERRORS.get(number) ?? `errno ${number}`;
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
