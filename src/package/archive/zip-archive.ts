import { Readable } from 'node:stream';
import { abortError, throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { showAs } from '../../readable.js';
import type { Archive, ArchiveDigests, ArchiveEntry, ExtractReport, FileRange } from '../archive-types.js';
import type { ArchiveLimits } from '../types.js';
import { ByteSource } from './byte-source.js';
import { ComparedReading } from './compared-reading.js';
import type { DirectoryEntry } from './central-directory.js';
import { inflateVerified, readVerified } from './entry-reader.js';
import { quote, SMALLER, zipFault } from './fault.js';
import { STORED } from './format.js';
import { makeRing, openPassing, type Ring } from './open-passing.js';
import { loadArchive, type LoadedArchive } from './load-archive.js';

const DEFAULT_READ_BYTES = 4 * 1024 * 1024;

/** Up to this size packed and unpacked, an entry is inflated in one call: under a millisecond. */
const INFLATE_AT_ONCE_BYTES = 128 * 1024;

/** An archive whose directory was checked. Made by {@link openArchive}. */
export class ZipArchive implements Archive {
  readonly #parts: LoadedArchive;
  readonly #entries: ArchiveEntry[];
  /** Ends what is under way when the archive is closed. */
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;
  readonly #compared: ComparedReading;
  /** Those that no inner archive is read through at the moment. */
  readonly #rings: Ring[] = [];

  constructor(parts: LoadedArchive) {
    this.#parts = parts;
    const isListed = ({ name }: ArchiveEntry) => name !== '';
    this.#entries = parts.entries.every(isListed) ? parts.entries : parts.entries.filter(isListed);
    this.#compared = new ComparedReading(parts);
    showAs(this, 'Archive', () => {
      const { path, sizeBytes, unpackedBytes, entries } = this;
      return { path, sizeBytes, unpackedBytes, entries: entries.length, closed: this.#closed !== undefined };
    });
  }

  get entries(): readonly ArchiveEntry[] {
    return this.#entries;
  }

  get unpackedBytes(): number {
    return this.#parts.unpackedBytes;
  }

  get identity(): string | undefined {
    return this.#parts.source.identity;
  }

  get nameDoubt(): string | undefined {
    return this.#parts.nameDoubt;
  }

  get limits(): Readonly<ArchiveLimits> {
    return this.#parts.limits;
  }

  get folders(): number {
    return this.#parts.names.folderCount;
  }

  get path(): string {
    return this.#parts.source.path;
  }

  get sizeBytes(): number {
    return this.#parts.source.size;
  }

  get(name: string): ArchiveEntry | undefined {
    return this.#parts.names.get(name);
  }

  async read(entry: ArchiveEntry, o: OperationOptions & { maxBytes?: number } = {}): Promise<Buffer> {
    const own = this.#own(entry);
    const { maxBytes = DEFAULT_READ_BYTES } = o;
    if (own.sizeBytes > maxBytes) {
      throw zipFault(
        this.path,
        `is ${own.sizeBytes} bytes long; no more than ${maxBytes} are read of such a file`,
        entry.name,
        { remedy: SMALLER },
      );
    }
    return this.#during(o.signal, async (signal) => {
      const { source, checker } = this.#parts;
      const range = checker.range(own);
      if (Math.max(own.sizeBytes, range.length) <= INFLATE_AT_ONCE_BYTES) {
        const content = inflateVerified(this.path, own, await source.read(range.offset, range.length));
        return this.#compared.whole(own, content);
      }
      const chunks: Buffer[] = [];
      for await (const chunk of readVerified(source, own, range, signal)) chunks.push(chunk);
      return this.#compared.whole(own, Buffer.concat(chunks));
    });
  }

  async openInner(
    entry: ArchiveEntry,
    o: OperationOptions & { keep?: (name: string) => boolean } = {},
  ): Promise<Archive | undefined> {
    const { signal, keep = () => false } = o;
    const own = this.#own(entry);
    const name = `${this.path}: ${quote(entry.name)}`;
    const { source, checker } = this.#parts;
    const open = async (inner: ByteSource) => {
      this.#refuseWhenClosed();
      return loadArchive(name, { source: inner, signal, lazy: true, limits: this.limits });
    };
    const range = this.#stored(own);
    if (!range && own.sizeBytes > DEFAULT_READ_BYTES) {
      const ring = this.#rings.pop() ?? makeRing();
      const parts = await this.#during(signal, (during) =>
        openPassing(own.sizeBytes, {
          ...{ keep, content: () => readVerified(source, own, checker.range(own), during, ring) },
          open: (kept) => open(ByteSource.of(name, kept)),
        }),
      ).finally(() => this.#rings.push(ring));
      return parts && new ZipArchive(parts);
    }
    const inner = range ? source.part(range, name) : ByteSource.of(name, await this.read(entry, o));
    return new ZipArchive(await open(inner));
  }

  slice(entry: ArchiveEntry): FileRange | undefined {
    const range = this.#stored(this.#own(entry));
    return range && { offset: this.#parts.source.start + range.offset, length: range.length };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the contract gives a Promise
  async stream(entry: ArchiveEntry, o: OperationOptions = {}): Promise<Readable> {
    const own = this.#own(entry);
    this.#refuseWhenClosed();
    throwIfAborted(o.signal, 'reading of the archive');
    const signal = this.#endOf(o.signal);
    const { source, checker } = this.#parts;
    const content = this.#compared.chunks(own, readVerified(source, own, checker.range(own), signal));
    const readable = Readable.from(content, { objectMode: false });
    const abort = () => readable.destroy(this.#asEnded(abortError(signal, 'reading of the archive')));
    signal.addEventListener('abort', abort, { once: true });
    void this.#track(
      new Promise<void>((resolve) => {
        readable.once('close', () => {
          signal.removeEventListener('abort', abort);
          resolve();
        });
      }),
    );
    return readable;
  }

  async digests(o: OperationOptions & { contents?: 'all' | 'stored' } = {}): Promise<ArchiveDigests> {
    return this.#during(o.signal, (signal) => this.#compared.digests(o.contents ?? 'all', signal));
  }

  async extract(target: string, o: Parameters<Archive['extract']>[1] = {}): Promise<ExtractReport> {
    return this.#during(o.signal, async (signal) => {
      const { DEFAULT_LANES, extractEntries } = await import('./extract.js'); // looking into one does without
      const compared = this.#compared.unpacking(o, signal);
      const report = await extractEntries({
        archive: this.#parts,
        target,
        place: o.place,
        durable: o.durable ?? false,
        onProgress: o.onProgress,
        readOnly: o.readOnly ?? false,
        onFile: compared.onFile,
        confirm: compared.confirm,
        unpackFiles: o.unpackFiles,
        lanes: o.lanes ?? DEFAULT_LANES,
        signal,
      });
      return { ...report, ...(o.oneReading && { sha256: (await compared.digests).sha256 }) };
    });
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      if (this.#underWay.size > 0) {
        this.#closing.abort(new RunnerError('closed', `The archive ${this.path} is closed`));
        await Promise.allSettled(this.#underWay);
      }
      await this.#parts.source.close();
    })();
    return this.#closed;
  }

  /** Closes it and forgets its entries. */
  async discard(): Promise<void> {
    await this.close();
    this.forget();
  }

  /**
   * Empties {@link entries} and the list that `unpackFiles` got, for an owner who has given them to nobody and needs none of
   * them any more: the unpacking by others goes on.
   *
   * They are emptied and not only dropped: the lists are old by then for the garbage collector, and what is old keeps
   * what is young until the old is collected too, which between one wheel of thousands of files and the next it is not.
   */
  forget(): void {
    const { entries, inPlace, names, placed } = this.#parts;
    names.clear();
    entries.length = 0;
    this.#entries.length = 0;
    inPlace.length = 0;
    placed.length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The entry of this archive that a caller means. */
  #own(entry: ArchiveEntry): DirectoryEntry {
    const own = this.#parts.names.get(entry.name);
    if (own) return own;
    throw new RunnerError('not_found', `${this.path} has no entry ${quote(entry.name)}`, {
      details: { path: this.path, entry: entry.name },
    });
  }

  /** Where a stored entry's bytes lie, counted from the archive's first. */
  #stored(own: DirectoryEntry): FileRange | undefined {
    return own.method === STORED ? this.#parts.checker.range(own) : undefined;
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new RunnerError('closed', `The archive ${this.path} is closed`);
  }

  /** Runs work that ends when the caller aborts or the archive is closed, whichever comes first. */
  async #during<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#refuseWhenClosed();
    throwIfAborted(signal, 'reading of the archive');
    try {
      return await this.#track(work(this.#endOf(signal)));
    } catch (error) {
      throw this.#asEnded(error);
    }
  }

  /** Fires when the caller aborts or the archive is closed. */
  #endOf(signal: AbortSignal | undefined): AbortSignal {
    const closing = this.#closing.signal;
    return signal ? AbortSignal.any([signal, closing]) : closing;
  }

  /** What was ended by closing says so; what the caller aborted stays an abort. */
  #asEnded(error: unknown): Error {
    if (RunnerError.is(error, 'aborted') && RunnerError.is(error.cause, 'closed')) return error.cause;
    return error as Error;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const done = () => this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }
}
