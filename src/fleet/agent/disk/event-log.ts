import { open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from '../../../package/crc32.js';
import {
  makeFolder,
  renameOver,
  syncFile,
  syncFolder,
  writeFileAtomic,
  type Durability,
} from '../../../store/atomic-file.js';
import { isMissing } from '../../../store/errno.js';
import { writeWhole } from '../../../store/write-whole.js';

/** An event with its place in the log. */
export interface LoggedEvent {
  offset: number;
  event: unknown;
}

/** A file of the log: its events follow each other. */
interface Segment {
  file: string;
  first: number;
  /** Below `first` while it is empty. */
  last: number;
}

/** A segment is closed once it is longer, and removed once all of its events are forgotten. */
const SEGMENT_BYTES = 256 * 1024;
const NAME = /^events-(\d{1,16})\.log$/;
/** The whole log under new offsets; once it has this name it is complete. */
const RENUMBERED = 'events.renumbered';

/**
 * An append-only log: a line for each event, with the CRC-32 of what follows it. An append resolves once the disk has it. A line that a
 * power cut left unfinished is cut off at the next start, and the offset is given anew: nobody was told of it.
 */
export class EventLog {
  readonly #folder: string;
  readonly #durability: Durability;
  #segments: Segment[] = [];
  #handle: FileHandle | undefined;
  /** Bytes of the open segment that are whole lines. */
  #length = 0;
  #next = 1;
  /** One change at a time. */
  #queue: Promise<unknown> = Promise.resolve();
  #isOpen = false;

  constructor(folder: string, durability: Durability) {
    this.#folder = folder;
    this.#durability = durability;
  }

  append(event: unknown): Promise<number> {
    return this.#inTurn(async () => {
      const offset = this.#next;
      const bytes = lineOf({ offset, event });
      const handle = await this.#writable();
      try {
        await writeWhole(handle, bytes, this.#length);
        if (this.#durability === 'full') await syncFile(handle);
      } catch (error) {
        // What was written of it is overwritten, or cut off at the next start: its offset is still free.
        await handle.truncate(this.#length).catch(() => undefined);
        throw error;
      }
      this.#length += bytes.length;
      this.#next += 1;
      const open = this.#segments.at(-1);
      if (open) open.last = offset;
      return offset;
    });
  }

  after(offset: number, limit: number): Promise<LoggedEvent[]> {
    return this.#inTurn(async () => {
      const events: LoggedEvent[] = [];
      for (const segment of this.#segments) {
        if (segment.last <= offset || events.length >= limit) continue;
        const { events: all } = await readSegment(segment.file);
        events.push(...all.filter((one) => one.offset > offset));
      }
      return events.slice(0, limit);
    });
  }

  forget(offset: number): Promise<void> {
    return this.#inTurn(async () => {
      // The last segment is written to: it stays, and says which offset is next.
      while (this.#segments.length > 1 && (this.#segments[0]?.last ?? Infinity) <= offset) {
        const [segment] = this.#segments.splice(0, 1);
        if (segment) await rm(segment.file, { force: true });
      }
    });
  }

  renumber(offset: number, from = 0): Promise<void> {
    return this.#inTurn(async () => {
      const [first] = this.#segments;
      if (first && first.first > offset) return;
      const events: LoggedEvent[] = [];
      for (const { file } of this.#segments)
        events.push(...(await readSegment(file)).events.filter((one) => one.offset >= from));
      const moved = events.map(({ event }, index) => ({ offset: offset + 1 + index, event }));
      await this.#closeFile();
      const head = headOf(offset + 1);
      const file = path.join(this.#folder, RENUMBERED);
      await writeFileAtomic(file, Buffer.concat([head, ...moved.map(lineOf)]), this.#durability);
      this.#isOpen = false;
      await this.#open();
    });
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#closeFile());
  }

  async #closeFile(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      await this.#open();
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #open(): Promise<void> {
    if (this.#isOpen) return;
    await this.#replaceByRenumbered();
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const firsts = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
    this.#segments = [];
    for (const first of firsts.sort((a, b) => a - b)) {
      const file = this.#fileOf(first);
      const { events, length } = await readSegment(file);
      this.#segments.push({ file, first, last: events.at(-1)?.offset ?? first - 1 });
      this.#length = length;
    }
    const last = this.#segments.at(-1);
    this.#next = last ? last.last + 1 : 1;
    this.#isOpen = true;
  }

  /** The open segment, or a new one. */
  async #writable(): Promise<FileHandle> {
    let segment = this.#segments.at(-1);
    if (!segment || this.#length >= SEGMENT_BYTES) {
      await this.#closeFile();
      segment = { file: this.#fileOf(this.#next), first: this.#next, last: this.#next - 1 };
      await makeFolder(this.#folder, this.#durability);
      const head = headOf(this.#next);
      await writeFileAtomic(segment.file, head, this.#durability);
      this.#segments.push(segment);
      this.#length = head.length;
    }
    if (!this.#handle) {
      this.#handle = await open(segment.file, 'r+');
      await this.#handle.truncate(this.#length);
    }
    return this.#handle;
  }

  async #replaceByRenumbered(): Promise<void> {
    const file = path.join(this.#folder, RENUMBERED);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const name of await readdir(this.#folder))
      if (NAME.test(name)) await rm(path.join(this.#folder, name), { force: true });
    const first = Number(/^first (\d+)\n/.exec(text)?.[1] ?? 1);
    await renameOver(file, this.#fileOf(first));
    await syncFolder(this.#folder, this.#durability);
  }

  #fileOf(first: number): string {
    return path.join(this.#folder, `events-${first}.log`);
  }
}

/** First line of a segment. */
function headOf(first: number): Buffer {
  return Buffer.from(`first ${first}\n`);
}

function lineOf(event: LoggedEvent): Buffer {
  const text = JSON.stringify(event);
  return Buffer.from(`${checksum(text)} ${text}\n`);
}

function checksum(text: string): string {
  return crc32(Buffer.from(text)).toString(16).padStart(8, '0');
}

/** Events of the whole lines, and the bytes up to the end of the last of them. */
async function readSegment(file: string): Promise<{ events: LoggedEvent[]; length: number }> {
  const bytes = await readFile(file);
  const events: LoggedEvent[] = [];
  let length = bytes.indexOf(0x0a) + 1;
  let at = length;
  for (;;) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    const line = bytes.toString('utf8', at, end);
    const text = line.slice(9);
    // A damaged line costs its own event alone.
    if (line.slice(0, 8) === checksum(text)) {
      events.push(JSON.parse(text) as LoggedEvent);
      length = end + 1;
    }
    at = end + 1;
  }
  return { events, length };
}
