import { loadPeer } from '../assets.js';
import { koffiIn, type Koffi, type NativeFunction } from '../process/koffi.js';

/** Functions of Linux that frames need, as memfd_create(2), fcntl(2), mmap(2), mremap(2), socketpair(2), sendmsg(2). */
export interface MemoryCalls {
  koffi: Koffi;
  memfdCreate: NativeFunction;
  fcntl: NativeFunction;
  ftruncate: NativeFunction;
  fallocate: NativeFunction;
  mmap: NativeFunction;
  mremap: NativeFunction;
  munmap: NativeFunction;
  /** The same by the number of the address. */
  munmapAt: NativeFunction;
  close: NativeFunction;
  socketpair: NativeFunction;
  sendmsg: NativeFunction;
  recv: NativeFunction;
}

/** Where the numbers of the constants in this room hold, and an offset of mmap has 64 bits. */
const ARCHITECTURES: ReadonlySet<string> = new Set(['x64', 'arm64', 'loong64', 'riscv64']);
/** By the name of glibc; musl takes every `libc.…` for itself. */
const C_LIBRARY = 'libc.so.6';

/** The calls, through koffi; undefined where koffi is not installed, or the platform has no such calls. */
export async function loadMemoryCalls(
  platform: NodeJS.Platform = process.platform,
  load: () => unknown = () => loadPeer('koffi'),
  arch: NodeJS.Architecture = process.arch,
): Promise<MemoryCalls | undefined> {
  if (platform !== 'linux' || !ARCHITECTURES.has(arch)) return undefined;
  try {
    return bind(koffiIn(await load()));
  } catch {
    return undefined; // not installed, or not for this system
  }
}

const bound = new WeakMap<Koffi, MemoryCalls>();

function bind(koffi: Koffi): MemoryCalls {
  const known = bound.get(koffi);
  if (known) return known;
  const libc = koffi.load(C_LIBRARY);
  const calls: MemoryCalls = {
    koffi,
    memfdCreate: libc.func('int memfd_create(const char *, unsigned int)'),
    fcntl: libc.func('int fcntl(int, int, ...)'),
    ftruncate: libc.func('int ftruncate(int, int64_t)'),
    fallocate: libc.func('int fallocate(int, int, int64_t, int64_t)'),
    mmap: libc.func('void *mmap(void *, size_t, int, int, int, int64_t)'),
    mremap: libc.func('void *mremap(void *, size_t, size_t, int)'),
    munmap: libc.func('int munmap(void *, size_t)'),
    munmapAt: libc.func('int munmap(uintptr_t, size_t)'),
    close: libc.func('int close(int)'),
    socketpair: libc.func('int socketpair(int, int, int, _Out_ int *)'),
    sendmsg: libc.func('int64_t sendmsg(int, void *, int)'),
    recv: libc.func('int64_t recv(int, void *, size_t, int)'),
  };
  bound.set(koffi, calls);
  return calls;
}
