import { rm, writeFile } from 'node:fs/promises';
import { RunnerError } from '../errors.js';
import { boundOnWindows, type Koffi, type NativeFunction } from '../process/koffi.js';
import type { SlotMemory } from './slot-memory.js';

/** Functions of Windows for named shared memory: CreateFileMappingW, MapViewOfFile, UnmapViewOfFile and CloseHandle. */
export interface MappingCalls {
  koffi: Koffi;
  create: NativeFunction;
  map: NativeFunction;
  unmap: NativeFunction;
  closeHandle: NativeFunction;
  lastError: NativeFunction;
}

/** The calls, through koffi; undefined where koffi is not installed, and on other systems. */
export function loadMappingCalls(
  platform: NodeJS.Platform = process.platform,
  load?: () => unknown,
): MappingCalls | undefined {
  return boundOnWindows(bind, platform, load);
}

function bind(koffi: Koffi): MappingCalls {
  const kernel = koffi.load('kernel32.dll');
  return {
    koffi,
    create: kernel.func(
      'intptr_t CreateFileMappingW(intptr_t, void *, uint32_t, uint32_t, uint32_t, const char16_t *)',
    ),
    map: kernel.func('void *MapViewOfFile(intptr_t, uint32_t, uint32_t, uint32_t, size_t)'),
    unmap: kernel.func('int UnmapViewOfFile(void *)'),
    closeHandle: kernel.func('int CloseHandle(intptr_t)'),
    lastError: kernel.func('uint32_t GetLastError()'),
  };
}

/** winnt.h, memoryapi.h: memory of the page file, for reading and writing. */
const NO_FILE = -1;
const PAGE_READWRITE = 0x4;
const FILE_MAP_WRITE = 0x2;

/** A mapping that may be used again when nobody sees it any more. */
interface Region {
  handle: unknown;
  pointer: unknown;
  name: string;
}

/** Regions that wait for the next image; a host that fills one frame after the other has as many under way. */
const MOST_WAITING = 2;
/** Regions that revoked views keep: V8 does not count them when it decides whether to collect. */
const MOST_KEPT = 8;

/**
 * Memory with a name that no other process can guess, on Windows: a worker that gets the name maps it, and the system
 * takes it back when the last process that has mapped it has ended. No file is written, and none is left.
 *
 * JavaScript cannot take a view back (a buffer over foreign memory is not transferable), and Windows cannot put other pages
 * in its place at one go. So a view that was revoked keeps its region, and what comes next gets another one; the region
 * waits for the next image when the garbage collector has taken the last view on it.
 */
export class NamedMemory implements SlotMemory {
  readonly descriptor = undefined;
  readonly length: number;
  readonly #calls: MappingCalls;
  readonly #seen: FinalizationRegistry<Region>;
  readonly #waiting: Region[] = [];
  #current: { region: Region; buffer: ArrayBuffer };
  #kept = 0;
  #isRevoked = false;
  #isClosed = false;

  /** @throws Error with the `code` of the system */
  constructor(calls: MappingCalls, length: number) {
    this.#calls = calls;
    this.length = length;
    this.#seen = new FinalizationRegistry((region) => {
      this.#kept--;
      if (this.#isClosed || this.#waiting.length >= MOST_WAITING) giveBack(calls, region);
      else this.#waiting.push(region);
    });
    this.#current = this.#show(newRegion(calls, length));
  }

  get buffer(): ArrayBuffer {
    return this.#current.buffer;
  }

  get name(): string {
    return this.#current.region.name;
  }

  get isCrowded(): boolean {
    return this.#kept >= MOST_KEPT;
  }

  revoke(): void {
    this.#isRevoked = true;
  }

  renew(): void {
    if (!this.#isRevoked) return;
    this.#isRevoked = false;
    const { region, buffer } = this.#current;
    try {
      this.#current = this.#show(this.#waiting.pop() ?? newRegion(this.#calls, this.length));
    } catch (cause) {
      this.#isRevoked = true;
      throw new RunnerError(
        'pool_full',
        `A frame has no memory for its next image: ${(cause as Error).message}`,
        { cause, details: { path: region.name } },
      );
    }
    this.#kept++;
    this.#seen.register(buffer, region);
  }

  async copyTo(file: string, length: number): Promise<void> {
    await rm(file, { recursive: true, force: true });
    await writeFile(file, new Uint8Array(this.buffer, 0, length), { flag: 'wx' });
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      for (const region of this.#waiting.splice(0)) giveBack(this.#calls, region);
      this.#seen.register(this.#current.buffer, this.#current.region); // somebody may still look at it
    }
    return Promise.resolve();
  }

  #show(region: Region): { region: Region; buffer: ArrayBuffer } {
    return { region, buffer: this.#calls.koffi.view(region.pointer, this.length) };
  }
}

function newRegion(calls: MappingCalls, length: number): Region {
  const name = `procvision-${crypto.randomUUID()}`;
  const high = Math.floor(length / 2 ** 32);
  const handle = calls.create(NO_FILE, null, PAGE_READWRITE, high, length % 2 ** 32, name);
  if (Number(handle) === 0) throw failure(calls, 'CreateFileMapping');
  const pointer = calls.map(handle, FILE_MAP_WRITE, 0, 0, length);
  if (pointer !== null) return { handle, pointer, name };
  const error = failure(calls, 'MapViewOfFile');
  calls.closeHandle(handle);
  throw error;
}

function giveBack({ unmap, closeHandle }: MappingCalls, { handle, pointer }: Region): void {
  unmap(pointer);
  closeHandle(handle);
}

/** As ENOMEM: the page file is used up, or the address space. */
function failure({ lastError }: MappingCalls, what: string): Error {
  const message = `${what} failed with error ${String(lastError())} of Windows: free memory, or enlarge the page file`;
  return Object.assign(new Error(message), { code: 'ENOMEM' });
}
