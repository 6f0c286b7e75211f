import { RunnerError } from '../errors.js';
import { wireMeta } from './image-meta.js';
import type { PixelFormat } from './pixels/formats.js';
import type { ProofMethod, ProvenImage } from './proof.js';
import type { KeptImage } from './slot.js';
import type { Layout } from './pixels/source.js';
import type { ImageMeta, SentImage } from './types.js';

/** What an image is sent with. */
interface Sending {
  kept: KeptImage;
  layout: Layout;
  proof: ProofMethod | undefined;
  isDecoded: boolean;
  isLost: () => boolean;
  /** The call is over. */
  over?: () => void;
  /** Nobody looks at it any more. */
  release: () => void;
}

/**
 * A class, and no object literal: a getter in a literal is another function each time, and the engine keeps a shape for each
 * of them, with all that the function sees, until its next full collection of garbage.
 */
class Sent implements SentImage {
  readonly id: string;
  readonly kind: 'npy' | 'bin';
  readonly meta: ImageMeta;
  readonly sizeBytes: number;
  readonly descriptor: number | undefined;
  readonly lasting: object | undefined;
  readonly memory: SentImage['memory'];
  readonly wideFormat: PixelFormat | undefined;
  readonly isDecoded: boolean;
  proof?: ProvenImage;
  readonly #kept: KeptImage;
  readonly #isLost: () => boolean;
  readonly #over: (() => void) | undefined;
  readonly #release: () => void;
  readonly #generation: number;
  #isDone = false;

  constructor({ kept, layout, isDecoded, isLost, over, release }: Sending) {
    const { frame, format, depth } = layout;
    const wide = depth === 16 ? format : undefined;
    this.id = kept.id;
    this.kind = kept.kind;
    this.meta = wireMeta(frame, wide);
    this.sizeBytes = kept.fileBytes;
    this.descriptor = kept.descriptor;
    this.lasting = kept.lasting;
    this.memory = kept.memory;
    this.wideFormat = wide?.name;
    this.isDecoded = isDecoded;
    this.#kept = kept;
    this.#isLost = isLost;
    this.#over = over;
    this.#release = release;
    this.#generation = kept.generation;
  }

  get isLost(): boolean {
    return this.#isLost() || this.#kept.generation !== this.#generation;
  }

  readonly deliver = (place: string) => this.#kept.deliver(place);

  readonly renew = () => {
    this.#kept.renew();
  };

  readonly pixels = () => this.#kept.pixels();

  readonly save = async (file: string) => {
    await this.#kept.save(file);
    if (await this.#isAsSent()) return;
    throw new RunnerError(
      'frame_released',
      `Frame ${this.id} was filled anew before it was copied: what was copied is not the picture of the call`,
    );
  };

  readonly done = (until?: Promise<unknown>) => {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#over?.();
    if (until) void until.then(this.#release, this.#release);
    else this.#release();
  };

  /** Whether it is still what was sent, as far as its checksum tells: the bytes are the host's again when the call is over. */
  async #isAsSent(): Promise<boolean> {
    if (this.isLost) return false;
    const { proof } = this;
    return !proof || (await this.#kept.checksum(proof.method)) === proof.checksum;
  }
}

/**
 * An image that was sent; a promise where its checksum takes its time. It is released once: at the first `done()`, or when the
 * promise given to it settles.
 */
export function sentImage(o: Sending): SentImage | Promise<SentImage> {
  const { kept, proof: method } = o;
  const { id, generation, fileBytes: sizeBytes } = kept;
  const sent = new Sent(o);
  if (!method) return sent;
  const prove = (checksum: string) => {
    sent.proof = { id, generation, sizeBytes, checksum, method };
    return sent;
  };
  const checksum = kept.checksum(method);
  return typeof checksum === 'string' ? prove(checksum) : checksum.then(prove);
}
