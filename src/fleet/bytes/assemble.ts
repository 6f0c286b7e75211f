import { throwIfAborted, type OperationOptions } from '../../abort.js';
import type { FetchProgress } from '../ports.js';
import type { ContentManifest } from './content-manifest.js';
import type { OpenArchives } from './open-archives.js';
import { WrongContent, type EntryWriter, type PartialPackage } from './partial-package.js';
import { PlaceChanged, readPlace, type Place, type WantedContent } from './places.js';
import { SourceFault, type ContentSource } from './source.js';
import type { Sources } from './sources.js';

interface AssembleOptions extends OperationOptions {
  sources: Sources;
  archives: OpenArchives;
  lanes: number;
  /** Bytes that came before. */
  fetchedBytes: number;
  /** Where wanted content may lie on this station. */
  places: (missing: readonly WantedContent[]) => Promise<Map<string, Place[]>>;
  onProgress: ((p: FetchProgress) => void) | undefined;
}

const PROGRESS_MS = 100;

/** Fills a partial package: from this station what it has, from sources the rest. Each content is fetched once. */
export async function assemble(
  manifest: ContentManifest,
  partial: PartialPackage,
  o: AssembleOptions,
): Promise<{ fetchedBytes: number; reusedBytes: number }> {
  const work = new Assembly(manifest, partial, o);
  await work.run();
  return { fetchedBytes: work.fetchedBytes, reusedBytes: work.reusedBytes };
}

class Assembly {
  fetchedBytes: number;
  /** Of the package, from what the station had; an earlier fetch counts. */
  reusedBytes = 0;
  readonly #partial: PartialPackage;
  readonly #o: AssembleOptions;
  readonly #totalBytes: number;
  /** Numbers of the entries that have one content. */
  readonly #same = new Map<string, number[]>();
  /** Of entries that are under way, by number. */
  readonly #written = new Map<number, number>();
  #doneBytes = 0;
  #told = 0;

  constructor(manifest: ContentManifest, partial: PartialPackage, o: AssembleOptions) {
    this.#partial = partial;
    this.#o = o;
    this.fetchedBytes = o.fetchedBytes;
    const { signature } = manifest;
    this.#totalBytes = manifest.totalBytes + (signature?.length ?? 0);
    for (const [index, { entry }] of partial.plan.entries.entries()) {
      if (entry.isDirectory) continue;
      const group = this.#same.get(entry.sha256);
      if (group) group.push(index);
      else this.#same.set(entry.sha256, [index]);
    }
    this.#signature = signature;
  }

  readonly #signature: Buffer | undefined;

  async run(): Promise<void> {
    const { signal, lanes } = this.#o;
    await this.#writeSignature();
    for (const index of this.#numbers()) {
      if (this.#partial.isDone(index)) this.#count(index, true);
    }
    const missing = await this.#takeWhatIsHere();
    // One failure ends the other lanes too.
    const ending = new AbortController();
    const linked = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal;
    let failure: Error | undefined;
    const queue = missing.values();
    const lane = async () => {
      for (const index of queue) await this.#fetch(index, linked);
    };
    const running = Array.from({ length: lanes }, () =>
      lane().catch((error: unknown) => {
        failure ??= error as Error; // those after it follow from it
        ending.abort();
      }),
    );
    await Promise.allSettled(running);
    throwIfAborted(signal, 'fetch');
    if (failure) throw failure;
    await this.#copySame();
    this.#tell(true);
  }

  *#numbers(): Iterable<number> {
    for (const group of this.#same.values()) yield* group;
  }

  #content(index: number): WantedContent {
    const planned = this.#partial.plan.entries[index];
    if (!planned) throw new Error(`there is no entry ${index}`);
    return planned.entry;
  }

  async #writeSignature(): Promise<void> {
    const index = this.#partial.plan.entries.length - 1;
    if (!this.#signature || this.#partial.isDone(index)) return;
    const writer = this.#partial.begin(index);
    await writer.write(this.#signature);
    await writer.finish();
  }

  /** Copies what this station has; the numbers of what is to be fetched, one of each content. */
  async #takeWhatIsHere(): Promise<number[]> {
    const firsts = [...this.#same.values()].flatMap((group) =>
      group.some((index) => this.#partial.isDone(index)) ? [] : group.slice(0, 1),
    );
    const places = await this.#o.places(firsts.map((index) => this.#content(index)));
    const missing: number[] = [];
    for (const index of firsts) {
      const { sha256, sizeBytes } = this.#content(index);
      if (sizeBytes === 0) await this.#partial.begin(index).finish();
      else if (!(await this.#copy(index, places.get(sha256) ?? []))) {
        missing.push(index);
        continue;
      }
      this.#count(index, true);
    }
    return missing;
  }

  async #copy(index: number, places: readonly Place[]): Promise<boolean> {
    const { archives, signal } = this.#o;
    for (const place of places) {
      throwIfAborted(signal, 'fetch');
      // What an earlier fetch has begun of it is written over.
      if (this.#partial.begunBytes(index) > 0) await this.#partial.reset(index);
      const writer = this.#partial.begin(index);
      try {
        for await (const chunk of readPlace(place, this.#content(index), { archives, signal }))
          await writer.write(chunk);
        await writer.finish();
        return true;
      } catch (error) {
        if (!(error instanceof PlaceChanged) && !(error instanceof WrongContent)) throw error;
      }
    }
    return false;
  }

  /** Entries whose content another entry has. */
  async #copySame(): Promise<void> {
    for (const group of this.#same.values()) {
      const from = group.find((index) => this.#partial.isDone(index));
      const place = from === undefined ? undefined : this.#partial.plan.entries[from];
      for (const index of group) {
        if (this.#partial.isDone(index) || !place) continue;
        const isThere = await this.#copy(index, [{ file: this.#partial.zip, offset: place.contentOffset }]);
        if (!isThere) throw new Error(`the content of entry ${from} was changed`);
        this.#count(index, true);
      }
    }
  }

  async #fetch(index: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal, 'fetch');
    const content = this.#content(index);
    const writer = await this.#partial.resume(index, signal);
    const before = writer.bytes;
    this.#written.set(index, before);
    /** Of whom the bytes are that are written: what two sent together proves nothing against either. */
    let from: ContentSource | undefined;
    await this.#o.sources.first(
      `the content ${content.sha256}`,
      async (source) => {
        const isMixed = writer.bytes > 0 && from !== source;
        from = source;
        try {
          await this.#receive(source, writer, index, signal);
        } catch (error) {
          if (!(error instanceof WrongContent)) throw error;
          writer.restart();
          await this.#partial.reset(index);
          if (!isMixed)
            throw new SourceFault('wrong', `sent content for ${content.sha256} that ${error.message}`);
          await this.#receiveAlone(source, writer, index, signal);
        }
      },
      { signal },
    );
    this.#written.delete(index);
    this.#count(index, false);
    this.reusedBytes += Math.min(before, content.sizeBytes);
  }

  /** Once more from its first byte, from one source. */
  async #receiveAlone(
    source: ContentSource,
    writer: EntryWriter,
    index: number,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#receive(source, writer, index, signal);
    } catch (error) {
      if (!(error instanceof WrongContent)) throw error;
      writer.restart();
      await this.#partial.reset(index);
      throw new SourceFault('wrong', `sent content that ${error.message}`);
    }
  }

  async #receive(
    source: ContentSource,
    writer: EntryWriter,
    index: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { sha256, sizeBytes } = this.#content(index);
    if (writer.bytes === sizeBytes) {
      await writer.finish(); // cut off at the very end
      return;
    }
    const asked = { from: writer.bytes, most: sizeBytes, isExact: true, signal };
    const { start, chunks } = await source.get(`blobs/${sha256}`, asked);
    if (start !== writer.bytes) writer.restart();
    try {
      for await (const chunk of chunks) {
        this.fetchedBytes += chunk.length;
        await writer.write(chunk);
        this.#written.set(index, writer.bytes);
        this.#tell(false);
      }
    } finally {
      if (writer.bytes < sizeBytes) await writer.mark();
    }
    if (writer.bytes < sizeBytes)
      throw new SourceFault('away', `ended ${sizeBytes - writer.bytes} bytes before the end`);
    await writer.finish();
  }

  #count(index: number, isReused: boolean): void {
    const { sizeBytes } = this.#content(index);
    this.#doneBytes += sizeBytes;
    if (isReused) this.reusedBytes += sizeBytes;
    this.#tell(false);
  }

  #tell(isLast: boolean): void {
    const now = performance.now();
    if (!isLast && now - this.#told < PROGRESS_MS) return;
    this.#told = now;
    const doneBytes = [...this.#written.values()].reduce((sum, bytes) => sum + bytes, this.#doneBytes);
    this.#o.onProgress?.({ doneBytes, totalBytes: this.#totalBytes, fetchedBytes: this.fetchedBytes });
  }
}
