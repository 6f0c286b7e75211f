import type { ImageInput, SentImage } from '../../frames/types.js';
import { mayBeWider } from '../../frames/wide-input.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { Deployment } from '../deployments/deployment.js';
import type { SentImages } from './call-observer.js';
import type { InspectionRequest } from '../types.js';
import { returnImages } from './return-images.js';

/**
 * Images of a call that may have to go on from a canary to the version that is mapped. They are kept until both are done with
 * them: the caller may have released its frame, or filled its buffer anew, since the call was made.
 */
export class HandedImages {
  readonly #kept: { images: SentImages; request: InspectionRequest; deployment: Deployment }[] = [];
  readonly #tried = new Set<AlgorithmWorker>();
  readonly #retained: Promise<unknown>[] = [];

  /** A version has ended with images, which it had sent or was handed. */
  keep(
    kept: { images: SentImages; request: InspectionRequest; deployment: Deployment },
    tried: ReadonlySet<AlgorithmWorker>,
    retained: readonly Promise<unknown>[],
  ): void {
    if (!this.#kept.some(({ images }) => images === kept.images)) this.#kept.push(kept);
    for (const worker of tried) this.#tried.add(worker);
    this.#retained.push(...retained);
  }

  /** The images that were sent before, where the deployment would be sent the same. */
  for({ guideImage }: InspectionRequest, { policy, imageFormats }: Deployment): SentImages | undefined {
    const before = this.#kept.at(-1);
    if (!before) return undefined;
    const { images, request, deployment } = before;
    const isSame =
      guideImage === request.guideImage &&
      policy.proof === deployment.policy.proof &&
      isSentSo(images.image, request.image, imageFormats) &&
      isSentSo(images.guideImage, guideImage, imageFormats);
    if (!isSame) return undefined;
    for (const image of [images.image, images.guideImage]) image?.renew(); // its worker may have touched the files
    return images;
  }

  /** The call is over. */
  done(): void {
    for (const { images } of this.#kept) returnImages(images, this.#tried, this.#retained);
  }
}

/** Whether a version that takes these formats of more than 8 bits would be sent an image as it was sent before. */
function isSentSo(
  sent: SentImage | undefined,
  given: ImageInput | 'same' | undefined,
  imageFormats: readonly string[],
): boolean {
  if (!sent) return true;
  if (sent.kind !== 'npy') return false;
  const { wideFormat } = sent;
  if (wideFormat !== undefined) return imageFormats.includes(wideFormat) || imageFormats.includes('Mono16');
  return !mayBeWider(sent, given, imageFormats);
}
