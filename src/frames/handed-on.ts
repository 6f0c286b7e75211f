import { writeFile } from 'node:fs/promises';
import { RunnerError } from '../errors.js';
import type { EncodedPicture } from './encoded-input.js';
import type { FrameFolder } from './frame-folder.js';
import { invalidImage } from './image-meta.js';
import { PlacedFiles } from './placed-files.js';
import { checksumOf, type ProofMethod } from './proof.js';
import type { KeptImage } from './slot.js';

const NO_HEADER = new Uint8Array(0);

/** A picture in a file format that the worker decodes: a `.bin` file in the folder of the workers. The bytes stay the caller's. */
export class HandedOnPicture implements KeptImage {
  readonly id: string;
  readonly kind = 'bin';
  readonly generation = 1;
  readonly descriptor = undefined;
  readonly #bytes: Uint8Array;
  readonly #files: PlacedFiles;

  constructor(folder: FrameFolder, id: string, bytes: Uint8Array) {
    this.id = id;
    this.#bytes = bytes;
    this.#files = new PlacedFiles(folder, `${id}.bin`);
  }

  get fileBytes(): number {
    return this.#bytes.byteLength;
  }

  checksum(method: ProofMethod): string | Promise<string> {
    return checksumOf(method, NO_HEADER, this.#bytes);
  }

  deliver(place: string): Promise<void> {
    return this.#files.ensure(place, {
      header: NO_HEADER,
      body: this.#bytes,
      generation: this.generation,
    });
  }

  renew(): void {
    this.#files.renew();
  }

  pixels(): undefined {
    return undefined;
  }

  save(file: string): Promise<void> {
    return writeFile(file, this.#bytes);
  }

  /** Its calls are over. */
  remove(): Promise<void> {
    return this.#files.remove();
  }
}

/**
 * Whether a picture may be handed on: what the package's Pillow makes of it must be what the host would make of it.
 *
 * @throws RunnerError `unsupported_image` where the package has no Pillow, `invalid_image`
 */
export function checkHandedOn(picture: EncodedPicture, hasPillow: boolean): void {
  const { format, title, turn, bits, layout } = picture;
  const remedy = 'leave decode out, and the host decodes it';
  if (format !== 'JPEG' && format !== 'PNG') {
    throw invalidImage(
      `${title} is a ${format}, and a package is handed JPEG and PNG alone: ${remedy}`,
      'decode',
    );
  }
  if (bits === 16) {
    throw invalidImage(`${title} has 16 bits a channel, which Pillow cuts off: ${remedy}`, 'decode');
  }
  if (layout.frame.colorSpace === 'BGR') {
    throw invalidImage(
      `the SDK does not turn the channels of a picture that it decodes: ${remedy}`,
      'colorSpace',
    );
  }
  if (turn !== 1) {
    throw invalidImage(
      `${title} asks to be turned, which Pillow does not do: say orientation: 'ignore', or ${remedy}`,
      'orientation',
    );
  }
  if (hasPillow) return;
  throw new RunnerError(
    'unsupported_image',
    `A picture with decode: 'package' needs Pillow in the package, and its environment has none: ${remedy}. Without Pillow ` +
      'the SDK would inspect a black picture',
    { details: { path: 'decode' } },
  );
}
