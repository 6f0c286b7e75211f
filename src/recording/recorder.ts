import { throwIfAborted } from '../abort.js';
import { showAs } from '../readable.js';
import { RunnerError } from '../errors.js';
import type { SentImage } from '../frames/types.js';
import { givenProductIds } from '../product-ids.js';
import { onStore } from '../store/store-error.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { CallEnd, CallObserver, ObservedCall } from '../supervisor/calls/call-observer.js';
import { doors } from '../supervisor/options.js';
import type { Recording, RecordingStatus, RecordOptions } from '../supervisor/recording-types.js';
import { checkNumbers } from './bounds.js';
import type { RecordedCall, RecordedImage } from './format.js';
import { imageFile, RecordingFolder } from './recording-folder.js';

const DEFAULT_MAX_BYTES = 2 ** 30;
/** Sums of shares are exact but for this. */
const ALMOST_NOTHING = 1e-6;

/**
 * Records calls (request, image, answer, timing) to a folder, bounded in bytes, until it is stopped. The format is
 * that of {@link RecordedCall}. Images are copied from the frames the worker reads; no answer waits for the disk.
 *
 * @throws RunnerError `invalid_params` for a folder with something else in it, `lock_timeout` for a folder that
 * another recorder uses, `store_failed`, `aborted`, `closed`
 */
export async function record(supervisor: AlgorithmSupervisor, o: RecordOptions): Promise<Recording> {
  doors().record.check(o);
  throwIfAborted(o.signal, 'record');
  checkNumbers(o);
  const observer = await RecordingObserver.open(o);
  let stop: () => Promise<void>;
  try {
    stop = await supervisor.observe(observer, { signal: o.signal });
  } catch (error) {
    await observer.close();
    throw error;
  }
  const stopped = async () => {
    await stop();
    return observer.status();
  };
  const recording: Recording = {
    status: () => observer.status(),
    stop: stopped,
    [Symbol.asyncDispose]: stop,
  };
  showAs(recording, 'Recording', () => observer.status());
  return recording;
}

/** Images of a call in the folder, and the room that is held for them. */
interface Copied {
  images: Pick<RecordedCall, 'image' | 'guide_image'>;
  bytes: number;
}

/** Writes calls to a folder as they run. The images are copied from the very frames the worker reads, by read(2): none is mapped for it. */
class RecordingObserver implements CallObserver {
  readonly #folder: RecordingFolder;
  readonly #options: RecordOptions;
  /** Undefined for every call. */
  readonly #productIds: readonly string[] | undefined;
  readonly #pending = new Set<Promise<void>>();
  /**
   * Calls whose images or answers are on their way to the disk; those that wait for their answer are not. A message of several
   * counts as one.
   */
  #writing = 0;
  #skipped = 0;
  #lastError: Error | undefined;

  private constructor(
    options: RecordOptions,
    folder: RecordingFolder,
    productIds: readonly string[] | undefined,
  ) {
    this.#options = options;
    this.#productIds = productIds;
    this.#folder = folder;
  }

  /** @throws RunnerError as {@link RecordingFolder.open}; `store_failed` when the system refuses */
  static async open(options: RecordOptions): Promise<RecordingObserver> {
    const { directory, maxBytes = DEFAULT_MAX_BYTES, signal } = options;
    const productIds = givenProductIds('supervisor.record({ productIds })', options);
    const folder = await onStore(`record to ${directory}`, () =>
      RecordingFolder.open(directory, maxBytes, { signal }),
    );
    return new RecordingObserver(options, folder, productIds);
  }

  offer(call: ObservedCall): Promise<unknown> | undefined {
    const { maxPending = 8 } = this.#options;
    const { productId } = call.request;
    const only = this.#productIds;
    if (only && (productId === undefined || !only.includes(productId))) return undefined;
    if (this.#writing > maxPending - ALMOST_NOTHING || call.isShort) {
      this.#skipped++;
      return undefined;
    }
    const number = this.#folder.take();
    const copied = this.#counted(call, () => this.#copyImages(number, call));
    const { asked } = call;
    // The object of the request is the caller's, who may change it before the answer is there.
    const own = { ...call, asked: { ...asked, given: asked.given && { ...asked.given } } };
    const pending = this.#record(number, own, copied)
      .catch((error: unknown) => {
        this.#lastError = error as Error;
        this.#skipped++;
      })
      .then(() => {
        this.#pending.delete(pending);
      });
    this.#pending.add(pending);
    return copied.catch(() => undefined);
  }

  status(): RecordingStatus {
    const { path: directory, calls, bytes, dropped } = this.#folder;
    return { directory, calls, bytes, dropped, skipped: this.#skipped, lastError: this.#lastError };
  }

  /** Resolves when nothing is on its way to the disk, and gives the folder up. */
  async close(): Promise<void> {
    await Promise.all(this.#pending);
    await this.#folder.close();
  }

  async #counted<T>({ together }: ObservedCall, work: () => Promise<T>): Promise<T> {
    this.#writing += 1 / together;
    try {
      return await work();
    } finally {
      this.#writing -= 1 / together;
    }
  }

  async #copyImages(number: number, { images }: ObservedCall): Promise<Copied> {
    const { image, guideImage: guide } = images;
    const parts = [partOf(number, 'image', image)];
    if (guide) parts.push(partOf(number, 'guide', guide));
    let bytes = 0;
    for (const { sent } of parts) bytes += sent.sizeBytes;
    await this.#folder.reserve(bytes);
    try {
      for (const { recorded, sent } of parts) {
        await this.#folder.addImage(recorded.file, (target) => sent.save(target));
      }
    } catch (error) {
      await this.#folder.abandon(number, bytes);
      throw error;
    }
    const [main, other] = parts.map(({ recorded }) => recorded);
    if (!main) throw new Error('a call has an image');
    return { images: { image: main, ...(other && { guide_image: other }) }, bytes };
  }

  async #record(number: number, call: ObservedCall, copied: Promise<Copied>): Promise<void> {
    const { images, bytes } = await copied;
    const end = await call.ended;
    const text = `${JSON.stringify(recordOf(number, call, images, end), null, 2)}\n`;
    const whole = bytes + Buffer.byteLength(text);
    await this.#counted(call, async () => {
      let reserved = bytes;
      try {
        await this.#folder.reserve(whole - bytes);
        reserved = whole;
        await this.#folder.addCall(number, text, whole);
      } catch (error) {
        await this.#folder.abandon(number, reserved);
        throw error;
      }
    });
  }
}

/** An image, and what is written of it. */
function partOf(
  number: number,
  role: 'image' | 'guide',
  sent: SentImage,
): { sent: SentImage; recorded: RecordedImage } {
  const { width, height, camera_id, timestamp_ms, color_space = 'RGB', pixel_format } = sent.meta;
  const file = imageFile(number, role, sent.kind);
  return { sent, recorded: { file, width, height, camera_id, timestamp_ms, color_space, pixel_format } };
}

function recordOf(
  number: number,
  { phase, request, asked, name, version }: ObservedCall,
  images: Pick<RecordedCall, 'image' | 'guide_image'>,
  { result, error }: CallEnd,
): RecordedCall {
  const { stepIndex, stepDesc, guideInfo, session, productId } = request;
  return {
    number,
    recorded_at: new Date().toISOString(),
    phase,
    pid: productId,
    name,
    version,
    request: {
      step_index: stepIndex,
      step_desc: stepDesc,
      guide_info: guideInfo,
      session,
      user_params: asked.given,
      kept_params: asked.kept,
    },
    ...images,
    ...(!images.guide_image && { guide: request.guideImage === 'same' ? 'same' : 'none' }),
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
