import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { appendFile, mkdir, open, readFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../../abort.js';
import { crc32 } from '../../package/crc32.js';
import { syncFile, writeFileAtomic, type Durability } from '../../store/atomic-file.js';
import { isMissing } from '../../store/errno.js';
import { removeTree } from '../../store/remove-tree.js';
import { writeWhole } from '../../store/write-whole.js';
import type { ContentManifest } from './content-manifest.js';
import { directoryOf, headerOf, planZip, type PlannedEntry, type ZipPlan } from './zip-plan.js';

const ZIP = 'package.zip';
const MANIFEST = 'manifest';
const JOURNAL = 'journal';

const READ_BYTES = 2 ** 20;
/** After so many bytes of an entry it is written down how far it has come. */
const MARK_BYTES = 4 * 2 ** 20;

const { O_RDWR, O_CREAT } = constants;

/** What has come of a package, by the numbers of its entries. */
export interface PartialState {
  /** Whole, with their CRC-32. */
  done: Map<number, number>;
  /** Bytes of those that were cut off. */
  begun: Map<number, number>;
}

/**
 * A package that is being put together: its zip at its full length, each byte at its final place, and a journal of what has
 * come. The journal is written after the bytes, so that it holds for a process that is killed; a power cut may keep the
 * journal and lose bytes, so that whatever it says is read again before it is believed.
 */
export class PartialPackage implements AsyncDisposable {
  readonly plan: ZipPlan;
  readonly folder: string;
  readonly #file: FileHandle;
  readonly #done = new Map<number, number>();
  readonly #begun: Map<number, number>;

  private constructor(folder: string, plan: ZipPlan, file: FileHandle, begun: Map<number, number>) {
    this.folder = folder;
    this.plan = plan;
    this.#file = file;
    this.#begun = begun;
  }

  /** Goes on with what is in the folder, if that is of the same package; else begins anew. The caller holds its lock. */
  static async open(
    folder: string,
    manifest: ContentManifest,
    signal?: AbortSignal,
  ): Promise<PartialPackage> {
    const plan = planZip(manifest);
    const kept = await readFile(path.join(folder, MANIFEST)).catch(() => undefined);
    if (!kept?.equals(manifest.text)) {
      // Another signature of the same content changes no place.
      if (!kept || !isSameContent(kept, manifest.text)) await removeTree(folder);
      await mkdir(folder, { recursive: true });
      await writeFileAtomic(path.join(folder, MANIFEST), manifest.text, 'none');
    }
    const state = await readPartial(folder);
    const file = await open(path.join(folder, ZIP), O_RDWR | O_CREAT, 0o644);
    const partial = new PartialPackage(folder, plan, file, state.begun);
    try {
      for (const index of state.done.keys()) await partial.#believe(index, signal);
      return partial;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get zip(): string {
    return path.join(this.folder, ZIP);
  }

  isDone(index: number): boolean {
    return this.#done.has(index);
  }

  /** How many bytes of an entry an earlier fetch has left. */
  begunBytes(index: number): number {
    return this.#begun.get(index) ?? 0;
  }

  /** Bytes that are on the disk already, roughly. */
  get presentBytes(): number {
    const { entries } = this.plan;
    const done = [...this.#done.keys()].reduce(
      (sum, index) => sum + (entries[index]?.entry.sizeBytes ?? 0),
      0,
    );
    return [...this.#begun.values()].reduce((sum, bytes) => sum + bytes, done);
  }

  /** Writes an entry, from where an earlier fetch was cut off. */
  async resume(index: number, signal?: AbortSignal): Promise<EntryWriter> {
    const writer = this.begin(index);
    const begun = Math.min(this.begunBytes(index), this.#entry(index).entry.sizeBytes);
    if (begun > 0) await writer.takeOver(begun, signal);
    return writer;
  }

  /** Writes an entry from its first byte. */
  begin(index: number): EntryWriter {
    const planned = this.#entry(index);
    return new EntryWriter(this.#file, planned, {
      onMark: (bytes) => this.#note(`part ${index} ${bytes}`),
      onDone: async (crc) => {
        await this.#place(index, crc);
        await this.#note(`done ${index} ${crc}`);
      },
    });
  }

  /** Forgets how far an entry had come. */
  async reset(index: number): Promise<void> {
    this.#begun.delete(index);
    await this.#note(`part ${index} 0`);
  }

  /** Writes what stands behind the content, once all entries are there. */
  async finish(durability: Durability): Promise<void> {
    const { entries, directoryOffset } = this.plan;
    for (const [index, { entry, offset }] of entries.entries()) {
      if (entry.isDirectory) await writeWhole(this.#file, headerOf(entry, 0), offset);
      else if (!this.#done.has(index)) throw new Error(`entry ${index} is not there`);
    }
    const directory = directoryOf(this.plan, (index) => this.#done.get(index) ?? 0);
    await writeWhole(this.#file, directory, directoryOffset);
    await this.#file.truncate(directoryOffset + directory.length);
    if (durability === 'full') await syncFile(this.#file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  /** Reads an entry again that the journal calls whole. */
  async #believe(index: number, signal?: AbortSignal): Promise<void> {
    const planned = this.plan.entries[index];
    if (!planned || planned.entry.isDirectory) return;
    const writer = new EntryWriter(this.#file, planned, {});
    const crc = await writer
      .takeOver(planned.entry.sizeBytes, signal)
      .then(() => writer.crcIfRight())
      .catch((error: unknown) => {
        if (error instanceof EndOfFile) return undefined;
        throw error;
      });
    if (crc !== undefined) await this.#place(index, crc);
  }

  async #place(index: number, crc: number): Promise<void> {
    const { entry, offset } = this.#entry(index);
    await writeWhole(this.#file, headerOf(entry, crc), offset);
    this.#done.set(index, crc);
    this.#begun.delete(index);
  }

  #entry(index: number): PlannedEntry {
    const planned = this.plan.entries[index];
    if (!planned) throw new Error(`there is no entry ${index}`);
    return planned;
  }

  async #note(line: string): Promise<void> {
    await appendFile(path.join(this.folder, JOURNAL), `${line}\n`);
  }
}

function isSameContent(a: Buffer, b: Buffer): boolean {
  const end = b.indexOf('\n\n') + 2;
  return end > 1 && a.subarray(0, end).equals(b.subarray(0, end));
}

/** What the journal of a partial package says. A line that was cut off, or is none, says nothing. */
export async function readPartial(folder: string): Promise<PartialState> {
  const state: PartialState = { done: new Map(), begun: new Map() };
  const text = await readFile(path.join(folder, JOURNAL), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
  for (const line of text.split('\n').slice(0, -1)) {
    const [, word, index, value] = /^(done|part) (\d{1,7}) (\d{1,16})$/.exec(line) ?? [];
    if (word === undefined) continue;
    if (word === 'done') state.done.set(Number(index), Number(value));
    else state.begun.set(Number(index), Number(value));
  }
  for (const index of state.done.keys()) state.begun.delete(index);
  return state;
}

/** The manifest of a partial package, as text. */
export function partialManifest(folder: string): Promise<Buffer> {
  return readFile(path.join(folder, MANIFEST));
}

/** The file of a partial package. */
export function partialZip(folder: string): string {
  return path.join(folder, ZIP);
}

class EndOfFile extends Error {}

/** The content is not the wanted one. */
export class WrongContent extends Error {}

/** Writes the content of one entry to its place, and takes its digest as it passes. */
export class EntryWriter {
  readonly sizeBytes: number;
  /** Bytes that are written. */
  bytes = 0;
  readonly #file: FileHandle;
  readonly #planned: PlannedEntry;
  readonly #notes: { onMark?: (bytes: number) => Promise<void>; onDone?: (crc: number) => Promise<void> };
  #hash: Hash = createHash('sha256');
  #crc = 0;
  #marked = 0;

  constructor(
    file: FileHandle,
    planned: PlannedEntry,
    notes: { onMark?: (bytes: number) => Promise<void>; onDone?: (crc: number) => Promise<void> },
  ) {
    this.#file = file;
    this.#planned = planned;
    this.#notes = notes;
    this.sizeBytes = planned.entry.sizeBytes;
  }

  /** Takes the first bytes as they are on the disk. */
  async takeOver(bytes: number, signal?: AbortSignal): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, bytes)));
    while (this.bytes < bytes) {
      throwIfAborted(signal, 'fetch');
      const at = this.#planned.contentOffset + this.bytes;
      const { bytesRead } = await this.#file.read(buffer, 0, Math.min(buffer.length, bytes - this.bytes), at);
      if (bytesRead === 0) throw new EndOfFile();
      this.#pass(buffer.subarray(0, bytesRead));
    }
    this.#marked = this.bytes;
  }

  /** Begins again at the first byte. */
  restart(): void {
    this.bytes = 0;
    this.#marked = 0;
    this.#crc = 0;
    this.#hash = createHash('sha256');
  }

  /** @throws WrongContent for more bytes than the entry has */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.bytes + chunk.length > this.sizeBytes) {
      throw new WrongContent(`has more than the ${this.sizeBytes} bytes that it must have`);
    }
    await writeWhole(this.#file, chunk, this.#planned.contentOffset + this.bytes);
    this.#pass(chunk);
    if (this.bytes - this.#marked < MARK_BYTES) return;
    await this.mark();
  }

  /** Writes down how far it has come. */
  async mark(): Promise<void> {
    if (this.bytes === this.#marked) return;
    this.#marked = this.bytes;
    await this.#notes.onMark?.(this.bytes);
  }

  /** @throws WrongContent when it is not whole, or not as the manifest says */
  async finish(): Promise<void> {
    if (this.bytes !== this.sizeBytes) {
      throw new WrongContent(`has ${this.bytes} bytes, not ${this.sizeBytes}`);
    }
    const crc = this.crcIfRight();
    if (crc === undefined) throw new WrongContent('has another digest');
    await this.#notes.onDone?.(crc);
  }

  /** The CRC-32, where the content is the wanted one. */
  crcIfRight(): number | undefined {
    return this.#hash.digest('hex') === this.#planned.entry.sha256 ? this.#crc : undefined;
  }

  #pass(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    this.#crc = crc32(chunk, this.#crc);
  }
}
