import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { isTemporaryName, readJson, writeFileAtomic } from '../store/atomic-file.js';
import { acquireLock, type Lock } from '../store/lock.js';
import { callName, isHeader, numberOf, RECORDING_FORMAT, RECORDING_VERSION } from './format.js';

const HEADER = 'recording.json';
const LOCK = 'recording.lock';

/**
 * The folder of a recording, as its one writer sees it: what is in it, what it takes, and room for more. A call is
 * there when its JSON file is; that is written last and removed first.
 */
export class RecordingFolder {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #lock: Lock;
  /** Calls in the folder and their bytes, oldest first. */
  readonly #kept = new Map<number, number>();
  #keptBytes = 0;
  /** Of the header, and of calls that are not complete yet. */
  #reservedBytes = 0;
  #next = 1;
  #dropped = 0;
  /** One at a time makes room. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, maxBytes: number, lock: Lock) {
    this.path = folder;
    this.#maxBytes = maxBytes;
    this.#lock = lock;
  }

  /**
   * Locks the folder, and removes what a killed recorder left.
   *
   * @throws RunnerError `invalid_params` for a folder that holds something else, `lock_timeout` when somebody records to
   * it, `aborted`
   */
  static async open(
    directory: string,
    maxBytes: number,
    { signal }: OperationOptions,
  ): Promise<RecordingFolder> {
    const folder = path.resolve(directory);
    await checkOurs(folder); // before anything is written into it
    const lock = await acquireLock(path.join(folder, LOCK), { operation: 'record', timeoutMs: 0, signal });
    try {
      const opened = new RecordingFolder(folder, maxBytes, lock);
      await opened.#prepare();
      return opened;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  get calls(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#keptBytes + this.#reservedBytes;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** The number of the next call. */
  take(): number {
    return this.#next++;
  }

  /** Holds room for a call that is on its way, the oldest calls go for it. @throws RunnerError `invalid_params` when there is none */
  async reserve(bytes: number): Promise<void> {
    const reserving = this.#turn.then(async () => {
      if (this.#reservedBytes + bytes > this.#maxBytes) throw tooLarge(bytes, this.#maxBytes);
      this.#reservedBytes += bytes;
      try {
        await this.#makeRoom();
      } catch (error) {
        this.#reservedBytes -= bytes;
        throw error;
      }
    });
    this.#turn = reserving.catch(() => undefined);
    await reserving;
  }

  /** Takes back what there is of a call that will not be, then gives up its room. */
  async abandon(number: number, bytes: number): Promise<void> {
    await this.#remove(number).catch(() => undefined); // the next recorder puts it away
    this.#reservedBytes -= bytes;
  }

  /** Has an image written to `file` below the folder. */
  async addImage(file: string, save: (target: string) => Promise<void>): Promise<void> {
    await save(path.join(this.path, file));
  }

  /** Writes the call, whose images are there, and whose room was reserved. */
  async addCall(number: number, text: string, bytes: number): Promise<void> {
    // Not flushed: a power cut may cost the last calls, and a call that it damages is left out by a replay.
    await writeFileAtomic(path.join(this.path, 'calls', `${callName(number)}.json`), text, 'none');
    this.#reservedBytes -= bytes;
    this.#keptBytes += bytes;
    this.#kept.set(number, bytes);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#lock.release();
  }

  /** The oldest calls that can go do, until the rest is within the bound. @throws what kept the first of them */
  async #makeRoom(): Promise<void> {
    let failure: Error | undefined;
    for (const [number, freed] of this.#kept) {
      if (this.bytes <= this.#maxBytes) return;
      try {
        await this.#remove(number);
      } catch (error) {
        failure ??= error as Error; // a picture that a viewer has open (Windows) keeps no later one
        continue;
      }
      this.#kept.delete(number);
      this.#keptBytes -= freed;
      this.#dropped++;
    }
    if (failure !== undefined && this.bytes > this.#maxBytes) throw failure;
  }

  /** The call first: what is left of its images then belongs to none. */
  async #remove(number: number): Promise<void> {
    const name = callName(number);
    await rm(path.join(this.path, 'calls', `${name}.json`), { force: true });
    for (const image of [name, `${name}-guide`]) {
      for (const ending of ['.npy', '.bin'])
        await rm(path.join(this.path, 'images', image + ending), { force: true });
    }
  }

  async #prepare(): Promise<void> {
    const header = path.join(this.path, HEADER);
    if ((await readJson(header)) === undefined) {
      const about = {
        format: RECORDING_FORMAT,
        version: RECORDING_VERSION,
        created_at: new Date().toISOString(),
      };
      await writeFileAtomic(header, `${JSON.stringify(about, null, 2)}\n`, 'none');
    }
    this.#reservedBytes = (await stat(header)).size;
    const sizes = new Map<number, number>();
    for (const [folder, isCalls] of [
      ['calls', true],
      ['images', false],
    ] as const) {
      await mkdir(path.join(this.path, folder), { recursive: true });
      for (const name of await readdir(path.join(this.path, folder))) {
        const file = path.join(this.path, folder, name);
        const number = numberOf(name);
        if (number === undefined && !isTemporaryName(name)) continue; // not ours
        // Half written, or an image whose call was cut off.
        if (number === undefined || (!isCalls && !sizes.has(number))) await rm(file, { force: true });
        else sizes.set(number, (sizes.get(number) ?? 0) + (await stat(file)).size);
      }
    }
    for (const [number, bytes] of [...sizes].sort(([a], [b]) => a - b)) {
      this.#kept.set(number, bytes);
      this.#keptBytes += bytes;
      this.#next = number + 1;
    }
    await this.#makeRoom(); // it may have been made with a larger bound
  }
}

/** Where an image of a call is, below the folder. */
export function imageFile(number: number, role: 'image' | 'guide', kind: 'npy' | 'bin'): string {
  return `images/${callName(number)}${role === 'guide' ? '-guide' : ''}.${kind}`;
}

/** A recording, or nothing yet. */
async function checkOurs(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const header = names.includes(HEADER)
    ? await readJson(path.join(folder, HEADER)).catch(() => null)
    : undefined;
  if (header !== undefined && isHeader(header)) return;
  const isEmpty = names.every(
    (name) => ['calls', 'images'].includes(name) || name.startsWith(LOCK) || isTemporaryName(name),
  );
  if (header === undefined && isEmpty) return;
  throw new RunnerError(
    'invalid_params',
    `${folder} holds something else than a recording of format ${RECORDING_FORMAT}, version ${RECORDING_VERSION}: ` +
      'record to a folder of its own',
    { details: { path: folder } },
  );
}

function tooLarge(bytes: number, maxBytes: number): RunnerError {
  return new RunnerError(
    'invalid_params',
    `A call of ${bytes} bytes has no room in a recording of at most ${maxBytes}, beside those on their way: raise maxBytes`,
    { details: { path: 'maxBytes' } },
  );
}
