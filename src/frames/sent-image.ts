import { wireMeta } from './image-meta.js';
import type { ProofMethod } from './proof.js';
import type { KeptImage } from './slot.js';
import type { Layout } from './pixels/source.js';
import type { SentImage } from './types.js';

/**
 * An image that was sent; a promise where its checksum takes its time. It is released once: at the first `done()`, or when the
 * promise given to it settles.
 */
export function sentImage(o: {
  kept: KeptImage;
  layout: Layout;
  proof: ProofMethod | undefined;
  isDecoded: boolean;
  isLost: () => boolean;
  release: () => void;
}): SentImage | Promise<SentImage> {
  const { kept, proof: method, isDecoded, release } = o;
  const { id, kind, generation, fileBytes: sizeBytes, descriptor, memory } = kept;
  const { frame, format, depth } = o.layout;
  const wide = depth === 16 ? format : undefined;
  let isDone = false;
  const sent: SentImage = {
    id,
    kind,
    sizeBytes,
    meta: wireMeta(frame, wide),
    wideFormat: wide?.name,
    descriptor,
    memory,
    isDecoded,
    get isLost() {
      return o.isLost();
    },
    deliver: (place) => kept.deliver(place),
    renew: () => {
      kept.renew();
    },
    pixels: () => kept.pixels(),
    save: (file) => kept.save(file),
    done: (until) => {
      if (isDone) return;
      isDone = true;
      if (until) void until.then(release, release);
      else release();
    },
  };
  if (!method) return sent;
  const prove = (checksum: string) => {
    sent.proof = { id, generation, sizeBytes, checksum, method };
    return sent;
  };
  const checksum = kept.checksum(method);
  return typeof checksum === 'string' ? prove(checksum) : checksum.then(prove);
}
