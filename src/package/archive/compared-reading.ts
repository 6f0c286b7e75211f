import type { createHash } from 'node:crypto';
import type { Archive, ArchiveDigests, ArchiveEntry } from '../archive-types.js';
import { nodeCrypto } from '../../node-crypto.js';
import { changed } from './fault.js';
import type { LoadedArchive } from './load-archive.js';

type ExtractOptions = NonNullable<Parameters<Archive['extract']>[1]>;

/** How an unpacking is compared with the one reading. */
interface ComparedUnpacking {
  onFile: ExtractOptions['onFile'];
  confirm: (() => Promise<void>) | undefined;
  digests: Promise<Partial<ArchiveDigests>>;
}

/**
 * Holds the digests of the first whole reading of an archive, and every later reading of an entry against them. Without
 * a whole reading it compares nothing.
 */
export class ComparedReading {
  readonly #archive: LoadedArchive;
  #known: { contents: 'all' | 'stored'; digests: ArchiveDigests } | undefined;

  constructor(archive: LoadedArchive) {
    this.#archive = archive;
  }

  /** See {@link Archive.digests}. */
  async digests(contents: 'all' | 'stored', signal: AbortSignal): Promise<ArchiveDigests> {
    if (this.#known && (contents === 'stored' || this.#known.contents === 'all')) return this.#known.digests;
    const { readWhole } = await import('./whole-reading.js'); // looking into one does without
    const digests = await readWhole(this.#archive, { contents, signal });
    if (this.#known && this.#known.digests.sha256 !== digests.sha256)
      throw changed(this.#archive.source.path);
    this.#known = { contents, digests };
    return digests;
  }

  /** The content of an entry, once it is the one of the whole reading. */
  whole(entry: ArchiveEntry, content: Buffer): Buffer {
    if (this.#wanted(entry) !== undefined) {
      this.#compare(entry, nodeCrypto().createHash('sha256').update(content).digest('hex'));
    }
    return content;
  }

  /** The same for content in chunks; the last one has passed when it is compared. */
  async *chunks(
    entry: ArchiveEntry,
    content: AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer, void, undefined> {
    const hash: ReturnType<typeof createHash> | undefined =
      this.#wanted(entry) === undefined ? undefined : nodeCrypto().createHash('sha256');
    for await (const chunk of content) {
      hash?.update(chunk);
      yield chunk;
    }
    if (hash) this.#compare(entry, hash.digest('hex'));
  }

  /** What an unpacking tells of its files, compared where digests are known, or will be when it ends. */
  unpacking({ oneReading = false, onFile }: ExtractOptions, signal: AbortSignal): ComparedUnpacking {
    if (!oneReading && !this.#known) return { onFile, confirm: undefined, digests: Promise.resolve({}) };
    const digests = this.digests('stored', signal);
    digests.catch(() => undefined); // confirm() reports it; the unpacking may fail first
    const written: [entry: ArchiveEntry, sha256: string][] = [];
    return {
      digests,
      onFile: (entry, sha256) => {
        const hex = sha256.toString('hex');
        if (this.#known) this.#compare(entry, hex);
        else written.push([entry, hex]);
        onFile?.(entry, sha256);
      },
      confirm: async () => {
        await digests;
        for (const [entry, sha256] of written) this.#compare(entry, sha256);
        await this.#archive.source.checkUnchanged();
      },
    };
  }

  #wanted({ name }: ArchiveEntry): string | undefined {
    return this.#known?.digests.entries.get(name);
  }

  #compare(entry: ArchiveEntry, sha256: string): void {
    const wanted = this.#wanted(entry);
    if (wanted !== undefined && wanted !== sha256) throw changed(this.#archive.source.path, entry.name);
  }
}
