import { type BigIntStats, constants, read, readSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { RunnerError } from '../../errors.js';
import type { FileRange } from '../archive-types.js';
import { changed, COPY_AGAIN, zipFault } from './fault.js';

/**
 * A file that is read at many positions side by side. It is read by callbacks: ten thousand headers that lie apart are
 * ten thousand reads, and each by a promise of its own leaves a kilobyte or more to the garbage collector.
 */
export class SharedFile {
  readonly #handle: FileHandle;
  #underWay = 0;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @param handle - closed by {@link close} */
  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Descriptor; -1 once it is closed. */
  get fd(): number {
    return this.#handle.fd;
  }

  /**
   * Reads ranges, of which there must be one, to lie one after the other in `into`.
   *
   * @param origin - of which the ranges' offsets count
   * @returns how many bytes there are in all: fewer than asked for where the file ends or the system gave less at once
   */
  readEach(ranges: readonly FileRange[], origin: number, into: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closing) throw new Error('it was closed');
      let left = ranges.length;
      let bytes = 0;
      let fault: Error | null = null;
      const done = (error: Error | null, bytesRead: number) => {
        fault ??= error;
        bytes += bytesRead;
        if (--left > 0) return;
        if (--this.#underWay === 0) this.#whenIdle?.();
        if (fault) reject(fault);
        else resolve(bytes);
      };
      this.#underWay++;
      let at = 0;
      ranges.forEach(({ offset, length }) => {
        try {
          read(this.#handle.fd, into, at, length, origin + offset, done);
        } catch (error) {
          done(error as Error, 0); // it throws what it takes for no range: the others still end, and the file can be closed
        }
        at += length;
      });
    });
  }

  /** Size and time of the last change. */
  async stamp(): Promise<string> {
    return stampOf(await this.#handle.stat({ bigint: true }));
  }

  /** Closes it when what is under way has ended: its number may be another file's a moment later. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
      await this.#handle.close();
    })();
    return this.#closing;
  }
}

/** Bytes of which some are in memory, and copied as those of a buffer. */
interface PartialBytes {
  readonly size: number;
  copy(into: Buffer, at: number, from: number, to: number): number;
}

/** What changes with the content of a file, as far as its file system tells. */
function stampOf({ size, mtimeNs }: BigIntStats): string {
  return `${size}:${mtimeNs}`;
}

/** Random access to the bytes of an archive; positions count from its first byte. */
export class ByteSource {
  /** A stretch that was read before and is kept: the end of an archive, which is looked at again and again. */
  #kept: { start: number; bytes: Buffer } | undefined;
  /** See {@link Archive.identity}. */
  identity: string | undefined;

  /** Of the file when it was opened. */
  #stamp: string | undefined;

  private constructor(
    readonly path: string,
    readonly size: number,
    readonly start: number,
    private readonly content: SharedFile | Buffer | PartialBytes,
    private readonly isShared = false,
  ) {}

  /** Bytes that lie in memory already; `path` only names them. */
  static of(path: string, bytes: Buffer | PartialBytes): ByteSource {
    return new ByteSource(path, Buffer.isBuffer(bytes) ? bytes.length : bytes.size, 0, bytes);
  }

  /** Opens a regular file, or a range of it. @throws RunnerError `not_found`, `invalid_zip` when that cannot be done. */
  static async open(path: string, range?: FileRange): Promise<ByteSource> {
    let handle: FileHandle | undefined;
    try {
      // Looked at before it is opened: opening a pipe or a device would wait or act.
      if (!(await stat(path)).isFile())
        throw zipFault(path, 'is not a regular file', undefined, { remedy: 'Give the path of a package' });
      handle = await open(path, constants.O_RDONLY);
      const facts = await handle.stat({ bigint: true });
      const size = Number(facts.size);
      const { offset, length } = range ?? { offset: 0, length: size };
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw zipFault(path, `has no range of ${length} bytes at ${offset}: it is ${size} bytes long`);
      }
      const source = new ByteSource(path, length, offset, new SharedFile(handle));
      source.identity = identityOf(facts, offset, length);
      source.#stamp = stampOf(facts);
      return source;
    } catch (error) {
      await handle?.close();
      throw error instanceof Error && 'syscall' in error ? cannotRead(path, error) : error;
    }
  }

  /** A range of this one, called `name`, over the same descriptor, which stays this one's to close. */
  part({ offset, length }: FileRange, name: string): ByteSource {
    this.#checkRange(offset, length);
    return new ByteSource(name, length, this.start + offset, this.content, true);
  }

  /** Reads a stretch and keeps it: reads that lie within it cost nothing from then on. */
  async keep(position: number, length: number): Promise<Buffer> {
    const bytes = await this.read(position, length);
    this.#kept = { start: position, bytes };
    return bytes;
  }

  /** Exactly `length` bytes, into `into` when it is given. @throws RunnerError `invalid_zip` when they are not there. */
  async read(position: number, length: number, into?: Buffer): Promise<Buffer> {
    this.#checkRange(position, length);
    const buffer = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
    if (this.#copyKept(position, buffer)) return buffer;
    for (let done = 0; done < length;) {
      const rest = { offset: position + done, length: length - done };
      const bytesRead = await this.#readSome([rest], buffer.subarray(done));
      if (bytesRead === 0) throw becameShorter(this.path);
      done += bytesRead;
    }
    return buffer;
  }

  /**
   * Reads ranges side by side, all of each, to lie one after the other in `into`.
   * @throws RunnerError `invalid_zip` when one is not there
   */
  async readEach(ranges: readonly FileRange[], into: Buffer): Promise<void> {
    let wanted = 0;
    ranges.forEach(({ offset, length }) => {
      this.#checkRange(offset, length);
      wanted += length;
    });
    if (wanted === 0 || (await this.#readSome(ranges, into)) === wanted) return;
    // The system gave less than it was asked for, and has more: a read by itself goes on where it left off.
    let at = 0;
    for (const { offset, length } of ranges) {
      await this.read(offset, length, into.subarray(at));
      at += length;
    }
  }

  /** @returns how many bytes were read */
  async #readSome(ranges: readonly FileRange[], into: Buffer): Promise<number> {
    const { content } = this;
    if (content instanceof SharedFile) {
      return content.readEach(ranges, this.start, into).catch((error: unknown) => {
        throw cannotRead(this.path, error);
      });
    }
    let at = 0;
    for (const { offset, length } of ranges) {
      at += content.copy(into, at, this.start + offset, this.start + offset + length);
    }
    return at;
  }

  /** The same at once, for the few bytes of a header. */
  readSync(position: number, length: number): Buffer {
    this.#checkRange(position, length);
    const { content } = this;
    const buffer = Buffer.allocUnsafe(length);
    if (this.#copyKept(position, buffer)) return buffer;
    if (!(content instanceof SharedFile)) {
      content.copy(buffer, 0, this.start + position, this.start + position + length);
      return buffer;
    }
    let bytesRead: number;
    try {
      bytesRead = readSync(content.fd, buffer, 0, length, this.start + position);
    } catch (error) {
      throw cannotRead(this.path, error);
    }
    if (bytesRead !== length) throw becameShorter(this.path);
    return buffer;
  }

  /** @throws RunnerError `invalid_zip` when the file has changed since it was opened, as its file system tells */
  async checkUnchanged(): Promise<void> {
    const { content } = this;
    if (this.#stamp === undefined || !(content instanceof SharedFile)) return;
    if ((await content.stamp()) !== this.#stamp) throw changed(this.path);
  }

  async close(): Promise<void> {
    if (this.content instanceof SharedFile && !this.isShared) await this.content.close();
  }

  #copyKept(position: number, into: Buffer): boolean {
    if (!this.#kept) return false;
    const { start, bytes } = this.#kept;
    if (position < start || position + into.length > start + bytes.length) return false;
    bytes.copy(into, 0, position - start, position - start + into.length);
    return true;
  }

  #checkRange(position: number, length: number): void {
    if (position < 0 || length < 0 || position + length > this.size) {
      throw zipFault(
        this.path,
        `ends at byte ${this.size}, before byte ${position + length} that is referred to`,
        undefined,
        { remedy: COPY_AGAIN },
      );
    }
  }
}

/** Times are those of the kernel's clock, which ticks every few milliseconds: what changed just now may change again in the same tick. */
const TICK_NS = 50_000_000n;

function identityOf(facts: BigIntStats, offset: number, length: number): string | undefined {
  const { dev, ino, size, mtimeNs, ctimeNs } = facts;
  if (BigInt(Date.now()) * 1_000_000n - ctimeNs < TICK_NS) return undefined;
  return [dev, ino, size, mtimeNs, ctimeNs, offset, length].join(':');
}

function becameShorter(path: string): Error {
  return zipFault(path, 'became shorter while it was read', undefined, {
    remedy: 'Wait until it is copied whole, then try again',
  });
}

function cannotRead(path: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new RunnerError(
        'not_found',
        `${path} is not there. Look at the path, or copy the package there again`,
        { cause: error, details: { path } },
      );
    case 'EACCES':
    case 'EPERM':
      return zipFault(path, 'may not be read by this user', undefined, {
        remedy: 'Give the user that this program runs as the right to read it',
        cause: error,
      });
    default: {
      const reason = error instanceof Error ? error.message : String(error);
      return zipFault(path, `cannot be read (${reason})`, undefined, { remedy: COPY_AGAIN, cause: error });
    }
  }
}
