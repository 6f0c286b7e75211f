import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { standInFor } from './stand-ins.js';
import { RunnerError } from '../errors.js';
import { DescriptorChannel } from '../frames/descriptor-channel.js';
import { loadMemoryCalls } from '../frames/memory-calls.js';
import type { ProvenImage } from '../frames/proof.js';
import type { Generation } from '../package/types.js';
import type { KeptMemory, KeptPlace } from './kept-memory.js';
import type { CallImage, WorkerCall, WorkerSpec } from './types.js';

/**
 * What pictures go to a worker through; undefined where they are files. A program that is run in place of an interpreter
 * speaks the protocol of the specification, which knows files alone.
 */
export async function openChannel({ root }: WorkerSpec): Promise<DescriptorChannel | undefined> {
  const calls = standInFor(root) ? undefined : await loadMemoryCalls();
  return calls && DescriptorChannel.open(calls);
}

/** How the worker comes to a picture of a call, as the call frame tells it. */
interface WirePicture {
  id: string;
  kind: 'npy' | 'bin';
  /** How its checksum is to be made; absent when nothing is to be proven. */
  method?: string;
  /** Which of the descriptors that came with the call; absent for a file, and for memory with a name. */
  descriptor?: number;
  /** Where the worker keeps its memory: the memory that comes with this call, or came with an earlier one. */
  place?: number;
  /** Name of its memory (Windows), and how many bytes of it there are. */
  memory?: string;
  bytes?: number;
}

/** Messages in a row of which a worker could read no picture, though they were made anew in between. */
export class Losses {
  #count = 0;

  /**
   * Whether it sees another folder than the host, or has come to one of its limits, so that a new process has to do. A message is
   * over, with so many calls whose pictures it could not read, and so many others that it has answered.
   */
  isBeyondHelp(lost: number, answered: number): boolean {
    if (answered > 0) this.#count = 0;
    else if (lost > 0) this.#count++;
    return this.#count > 1;
  }
}

/** The pictures of one call: each once, also where one is both the image and the guide. */
export class CallPictures {
  readonly #images: CallImage[];
  readonly #channel: DescriptorChannel | undefined;
  readonly #kept: KeptMemory | undefined;
  /** Of each picture. */
  readonly #places: (KeptPlace | undefined)[] = [];
  readonly #takesNames: boolean;
  /** Copies in the folder of a worker that was not handed the memory. */
  readonly #copies: string[] = [];

  constructor(
    { image, guideImage }: WorkerCall,
    o: {
      generation: Generation;
      channel: DescriptorChannel | undefined;
      kept?: KeptMemory | undefined;
      root: string;
    },
  ) {
    const { generation, channel, kept, root } = o;
    this.#channel = channel;
    this.#kept = kept;
    this.#takesNames = standInFor(root) === undefined;
    this.#images = image ? [image] : [];
    // A phased algorithm gets no guide image.
    if (guideImage && generation !== 'phased' && guideImage.id !== image?.id) this.#images.push(guideImage);
    if (!kept) return;
    kept.begin();
    for (const image of this.#images) {
      const { lasting, sizeBytes = 0 } = image;
      const isKept = lasting !== undefined && this.#isHanded(image);
      this.#places.push(isKept ? kept.placeOf(lasting, sizeBytes) : undefined);
    }
  }

  /** What the worker must report; empty when nothing is to be proven. */
  get expected(): ProvenImage[] {
    const proofs: ProvenImage[] = [];
    for (const { proof } of this.#images) if (proof) proofs.push(proof);
    return proofs;
  }

  /** Whether files have to be looked after before the call is sent. */
  get needFiles(): boolean {
    return this.#images.some((image) => image.deliver && !this.#isHanded(image));
  }

  /** Whether the worker gets its memory, and needs no file. */
  #isHanded({ descriptor, memory }: CallImage): boolean {
    return (
      (this.#channel !== undefined && descriptor !== undefined) || (this.#takesNames && memory !== undefined)
    );
  }

  /** Puts what the worker has to open into its folder. @throws RunnerError `pool_full` when the system does not let it */
  async deliver(folder: string): Promise<void> {
    for (const image of this.#images) {
      const { id, kind, descriptor, memory, deliver } = image;
      if (!deliver || this.#isHanded(image)) continue;
      try {
        await deliver(folder);
      } catch (cause) {
        throw new RunnerError(
          'pool_full',
          `The picture of a call cannot be written to ${folder}: ${(cause as Error).message}`,
          { cause, details: { path: folder } },
        );
      }
      if (descriptor !== undefined || memory) this.#copies.push(path.join(folder, `${id}.${kind}`));
    }
  }

  /** Hands the memory over, before the call, which the worker looks for it with; false when the worker takes none. */
  handOver(requestId: string): boolean {
    if (!this.#channel) return true;
    const descriptors: number[] = [];
    for (const [index, image] of this.#images.entries()) {
      const place = this.#places[index];
      if (place && image.lasting) this.#kept?.put(place, image.lasting);
      if (image.descriptor !== undefined && place?.isNew !== false) descriptors.push(image.descriptor);
    }
    if (descriptors.length === 0) return true;
    return this.#channel.send({ request_id: requestId }, descriptors);
  }

  /** For the call frame. Undefined when the worker knows of no picture but by its name. */
  get wire(): WirePicture[] | undefined {
    let handed = 0;
    const pictures: WirePicture[] = [];
    for (const [index, image] of this.#images.entries()) {
      const { id, kind, memory, proof } = image;
      if (!kind) continue;
      const method = proof?.method;
      const place = this.#places[index];
      if (!this.#isHanded(image)) pictures.push({ id, kind, method });
      else if (memory) pictures.push({ id, kind, method, memory: memory.name, bytes: memory.bytes });
      else if (!place) pictures.push({ id, kind, method, descriptor: handed++ });
      else if (place.isNew) pictures.push({ id, kind, method, descriptor: handed++, place: place.number });
      else pictures.push({ id, kind, method, place: place.number });
    }
    return pictures.length > 0 ? pictures : undefined;
  }

  /** The call is over. */
  async cleanUp(): Promise<void> {
    await Promise.allSettled(this.#copies.map((file) => unlink(file)));
  }
}
