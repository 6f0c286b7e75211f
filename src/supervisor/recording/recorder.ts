import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import type { ImageInput, SentImage } from '../../frames/types.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import type { CallEnd, CallTap, TappedCall } from '../call-tap.js';
import {
  callName,
  readCall,
  RECORDING_FORMAT,
  RECORDING_VERSION,
  recordedNumbers,
  type RecordedCall,
  type RecordedImage,
} from './format.js';

/** What to record, and how much of it. */
export interface RecordOptions {
  /** Folder of the recording; one that is there is continued. */
  directory: string;
  /** Product ids whose calls are recorded. @defaultValue every call */
  pids?: string[];
  /** Bytes the recording may take; the oldest calls make room for new ones. @defaultValue 1 GiB */
  maxBytes?: number;
  /** Calls that may be on their way to the disk, each holding its frame; further ones are left out. @defaultValue 8 */
  maxPending?: number;
}

/** How a recording stands. */
export interface RecordingStatus {
  /** Folder of the recording. */
  directory: string;
  /** Calls in the folder. */
  calls: number;
  /** Bytes in the folder. */
  bytes: number;
  /** Calls that were dropped to make room. */
  dropped: number;
  /** Calls that were left out because the disk was too slow, or refused them. */
  skipped: number;
  /** What the disk said last. */
  lastError: Error | undefined;
}

/** A recording that is being made. */
export interface Recording extends AsyncDisposable {
  /** How far it is. */
  status(): RecordingStatus;
  /** Takes no more calls; resolves when those that were taken are on disk. */
  stop(): Promise<RecordingStatus>;
}

/** Writes calls to a folder as they run. The images are copied from the very frames the worker reads. */
export class RecorderTap implements CallTap {
  readonly #folder: string;
  readonly #frames: string;
  readonly #options: RecordOptions;
  readonly #maxBytes: number;
  readonly #pending = new Set<Promise<void>>();
  /** Calls in the folder and their bytes, oldest first. */
  readonly #kept = new Map<number, number>();
  #next = 1;
  #bytes = 0;
  #dropped = 0;
  #skipped = 0;
  #lastError: Error | undefined;
  /** One at a time writes and makes room. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(options: RecordOptions, frames: string) {
    this.#options = options;
    this.#folder = path.resolve(options.directory);
    this.#frames = frames;
    this.#maxBytes = options.maxBytes ?? 2 ** 30;
  }

  /** @param frames folder the frames are in. @throws RunnerError `invalid_params` for a folder that holds something else */
  static async open(options: RecordOptions, frames: string): Promise<RecorderTap> {
    const tap = new RecorderTap(options, frames);
    const header = path.join(tap.#folder, 'recording.json');
    await mkdir(path.join(tap.#folder, 'calls'), { recursive: true });
    await mkdir(path.join(tap.#folder, 'images'), { recursive: true });
    if ((await readJson(header).catch(() => null)) === undefined) {
      const created_at = new Date().toISOString();
      await writeJsonAtomic(
        header,
        { format: RECORDING_FORMAT, version: RECORDING_VERSION, created_at },
        'none',
      );
    }
    for (const number of await recordedNumbers(tap.#folder)) {
      await tap.#count(number, await readCall(tap.#folder, number));
    }
    return tap;
  }

  offer(call: TappedCall): Promise<unknown> | undefined {
    const { pids, maxPending = 8 } = this.#options;
    const { pid, target } = call.request;
    if (pids ? pid === undefined || !pids.includes(pid) : pid === undefined && target === undefined)
      return undefined;
    if (this.#pending.size >= maxPending) {
      this.#skipped++;
      return undefined;
    }
    const number = this.#next++;
    const copied = this.#copyImages(number, call);
    const pending = this.#write(number, call, copied).then(() => {
      this.#pending.delete(pending);
    });
    this.#pending.add(pending);
    return copied;
  }

  status(): RecordingStatus {
    return {
      directory: this.#folder,
      calls: this.#kept.size,
      bytes: this.#bytes,
      dropped: this.#dropped,
      skipped: this.#skipped,
      lastError: this.#lastError,
    };
  }

  /** Resolves when nothing is on its way to the disk. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Undefined when the disk refused. */
  async #copyImages(
    number: number,
    { images, request }: TappedCall,
  ): Promise<Pick<RecordedCall, 'image' | 'guide_image'> | undefined> {
    try {
      const image = await this.#copy(callName(number), images.image, request.image);
      if (!images.guideImage || !request.guideImage) return { image };
      const guide = await this.#copy(`${callName(number)}-guide`, images.guideImage, request.guideImage);
      return { image, guide_image: guide };
    } catch (error) {
      this.#lastError = error as Error;
      return undefined;
    }
  }

  async #copy(name: string, { id, meta }: SentImage, input: ImageInput): Promise<RecordedImage> {
    const ending = 'encoded' in input ? '.bin' : '.npy';
    const file = `images/${name}${ending}`;
    await copyFile(path.join(this.#frames, `${id}${ending}`), path.join(this.#folder, file));
    const { width, height, camera_id, timestamp_ms, color_space = 'RGB' } = meta;
    return { file, width, height, camera_id, timestamp_ms, color_space };
  }

  async #write(
    number: number,
    call: TappedCall,
    copied: Promise<Pick<RecordedCall, 'image' | 'guide_image'> | undefined>,
  ): Promise<void> {
    const images = await copied;
    const end = await call.ended;
    this.#turn = this.#turn.then(async () => {
      try {
        if (!images) throw this.#lastError ?? new Error('its images could not be copied');
        const record = recordOf(number, call, images, end);
        await writeJsonAtomic(path.join(this.#folder, 'calls', `${callName(number)}.json`), record, 'none');
        await this.#count(number, record);
        await this.#makeRoom();
      } catch (error) {
        this.#lastError = error as Error;
        this.#skipped++;
        await this.#remove(number).catch(() => undefined);
      }
    });
    await this.#turn;
  }

  async #count(number: number, record: RecordedCall): Promise<void> {
    const files = [`calls/${callName(number)}.json`, record.image.file, record.guide_image?.file];
    let bytes = 0;
    for (const file of files) {
      if (file !== undefined) bytes += (await stat(path.join(this.#folder, file))).size;
    }
    this.#kept.set(number, bytes);
    this.#bytes += bytes;
    this.#next = Math.max(this.#next, number + 1);
  }

  async #makeRoom(): Promise<void> {
    for (const [number, bytes] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return;
      await this.#remove(number);
      this.#kept.delete(number);
      this.#bytes -= bytes;
      this.#dropped++;
    }
  }

  /** The call first: what is left of its images then belongs to none. */
  async #remove(number: number): Promise<void> {
    const name = callName(number);
    await rm(path.join(this.#folder, 'calls', `${name}.json`), { force: true });
    for (const image of [name, `${name}-guide`]) {
      for (const ending of ['.npy', '.bin'])
        await rm(path.join(this.#folder, 'images', image + ending), { force: true });
    }
  }
}

function recordOf(
  number: number,
  { phase, request, name, version }: TappedCall,
  images: Pick<RecordedCall, 'image' | 'guide_image'>,
  { result, error }: CallEnd,
): RecordedCall {
  const { stepIndex, stepDesc, guideInfo, session, userParams, pid } = request;
  return {
    number,
    recorded_at: new Date().toISOString(),
    phase,
    pid,
    name,
    version,
    request: {
      step_index: stepIndex,
      step_desc: stepDesc,
      guide_info: guideInfo,
      session,
      user_params: userParams,
    },
    ...images,
    ...(result && {
      result: {
        request_id: result.requestId,
        status: result.status,
        message: result.message,
        error_code: result.errorCode,
        data: result.data,
        attempts: result.attempts,
        timing: {
          queue_ms: result.timing.queueMs,
          frame_ms: result.timing.frameMs,
          call_ms: result.timing.callMs,
          total_ms: result.timing.totalMs,
        },
      },
    }),
    ...(RunnerError.is(error) && { error: error.toJSON() }),
  };
}
