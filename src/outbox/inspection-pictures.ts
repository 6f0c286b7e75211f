import { RunnerError } from '../errors.js';
import { formatNamed } from '../frames/pixels/layout.js';
import { defectsOf } from './pictures/cutouts.js';
import { PictureEncoder, takeImage, type PictureParts, type TakenImage } from './pictures/encoder.js';
import type { PictureFiles } from './pictures/picture-files.js';
import { PictureChoice } from './pictures/picture-rules.js';
import type { Room } from './room.js';
import type { EncodedPicture, Inspected, InspectionFacts, OutboxStatus, PictureRules } from './types.js';
import { verdictOf } from './verdicts.js';

/** A picture whose file is on the disk. Its bytes are not in memory any more. */
export interface WrittenPicture {
  picture: Omit<EncodedPicture, 'encoded'>;
  file: { digest: string; bytes: number };
}

/** What {@link InspectionPictures} work with. */
interface KeepingParts {
  files: PictureFiles;
  room: Room;
  now: () => number;
}

/** Pictures that are in memory until the disk has them, in bytes: more are given up, so that a disk that hangs does not fill the memory. */
const MOST_BYTES = 256 << 20;

/** Brings the pictures of an inspection to the disk. What cannot be kept is given up and counted; its verdict is not. */
export class InspectionPictures {
  readonly #rules: PictureRules;
  readonly #choice: PictureChoice;
  readonly #files: PictureFiles;
  readonly #room: Room;
  readonly #now: () => number;
  #lastFault: OutboxStatus['lastPictureFault'];
  #encoder: PictureEncoder | undefined;
  /** Of the pictures that are not on the disk yet. */
  #bytes = 0;

  constructor(rules: PictureRules = {}, { files, room, now }: KeepingParts) {
    this.#rules = rules;
    this.#choice = new PictureChoice(rules);
    this.#files = files;
    this.#room = room;
    this.#now = now;
  }

  /** Why a picture could not be encoded last. */
  get lastFault(): OutboxStatus['lastPictureFault'] {
    return this.#lastFault;
  }

  /**
   * Loads what encodes pictures, where the rules can keep one: a station would learn at its first NG part that it cannot.
   *
   * @throws RunnerError `invalid_params` where it is not installed
   */
  async loadWhereKept(): Promise<void> {
    if (this.#choice.canKeep) await this.#load();
  }

  async #load(): Promise<PictureEncoder> {
    return (this.#encoder ??= await PictureEncoder.load(this.#rules));
  }

  /** Counts a picture that cannot be encoded. */
  #fail(priority: Priority, bytes: number, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#lastFault = { reason, at: Math.floor(this.#now()) };
    this.#room.lose(priority, bytes, 'encoding', cause);
  }

  /**
   * Files that are given are stored as they are: nothing can be hidden in them.
   *
   * @throws RunnerError `invalid_params` where regions are to be hidden, `invalid_image` for a format of pixels that is not known
   */
  check({ image, pictures = [], masks = [] }: InspectionFacts): void {
    if (image && 'data' in image && image.pixelFormat !== undefined) formatNamed(image.pixelFormat);
    const hidden = masks.length + (this.#rules.masks?.length ?? 0);
    if (pictures.length === 0 || hidden === 0) return;
    throw new RunnerError(
      'invalid_params',
      'outbox.record(): masks cannot be put on the files of `pictures`, which are stored as they are. ' +
        'Give the picture as `image: { encoded }`, or record it in an outbox without masks',
    );
  }

  /** Writes those that are kept; undefined where none is. Pixels are copied before this returns. Never rejects. */
  write(
    inspected: Inspected,
    facts: InspectionFacts,
    priority: Priority,
  ): Promise<WrittenPicture[]> | undefined {
    const { given, image } = this.#kept(inspected, facts, priority);
    const all = [...given, ...(image ? [image] : [])];
    if (all.length === 0) return undefined;
    const bytes = all.reduce((sum, one) => sum + bytesOf(one), 0);
    if (this.#bytes > 0 && this.#bytes + bytes > MOST_BYTES) {
      for (const one of all) this.#room.lose(priority, bytesOf(one));
      return undefined;
    }
    this.#bytes += bytes;
    let taken: TakenImage | undefined;
    try {
      taken = image && takeImage(image); // now: the pixels may change at the first await
    } catch (error) {
      this.#fail(priority, 0, error);
    }
    const parts = { masks: facts.masks, defects: defectsOf(inspected, this.#rules) };
    const copies = given.map((one) => ({ ...one, encoded: Buffer.from(one.encoded) })); // they too
    return this.#encodeAndWrite(copies, taken, parts, priority).finally(() => {
      this.#bytes -= bytes;
    });
  }

  /** Counts those that would be kept, where the verdict is not. */
  giveUp(inspected: Inspected, facts: InspectionFacts, priority: Priority): void {
    const { given, image } = this.#kept(inspected, facts, priority);
    for (const one of given) this.#room.lose(priority, bytesOf(one));
    if (image) this.#room.lose(priority, bytesOf(image));
  }

  #kept(
    inspected: Inspected,
    facts: InspectionFacts,
    priority: Priority,
  ): { given: readonly EncodedPicture[]; image: InspectionFacts['image'] } {
    const { image, pictures = [] } = facts;
    const isKept = image !== undefined && this.#isChosen(inspected, facts, priority);
    return { given: pictures, image: isKept ? image : undefined };
  }

  /** A rule of the host that throws costs the picture. */
  #isChosen(inspected: Inspected, facts: InspectionFacts, priority: Priority): boolean {
    try {
      return this.#choice.keeps(verdictOf(inspected), inspected, facts);
    } catch (error) {
      this.#fail(priority, 0, error);
      return false;
    }
  }

  async #encodeAndWrite(
    given: readonly EncodedPicture[],
    taken: TakenImage | undefined,
    parts: PictureParts,
    priority: Priority,
  ): Promise<WrittenPicture[]> {
    const encoded = taken ? await this.#encode(taken, parts, priority) : [];
    return this.#writeFiles([...given, ...encoded], priority);
  }

  /** The picture, its thumbnail and its cut-outs as files. */
  async #encode(taken: TakenImage, parts: PictureParts, priority: Priority): Promise<EncodedPicture[]> {
    try {
      return await (await this.#load()).encode(taken, parts);
    } catch (error) {
      this.#fail(priority, 0, error);
      return [];
    }
  }

  /** Writes files beside each other. */
  async #writeFiles(pictures: readonly EncodedPicture[], priority: Priority): Promise<WrittenPicture[]> {
    const written = await Promise.all(
      pictures.map(async ({ encoded, ...picture }) => {
        const add = () => this.#files.add(encoded);
        try {
          const file = await add().catch(async (error: unknown) => {
            if (!(await this.#room.makeRoom(priority))) throw error;
            return add();
          });
          return { picture, file };
        } catch (error) {
          this.#room.lose(priority, encoded.length, 'disk', error);
          return undefined;
        }
      }),
    );
    return written.filter((one) => one !== undefined);
  }
}

type Priority = 'okPictures' | 'ngPictures';

function bytesOf(one: EncodedPicture | NonNullable<InspectionFacts['image']>): number {
  return 'encoded' in one ? one.encoded.length : one.data.byteLength;
}
