import { wireMeta } from './image-meta.js';
import type { FrameMeta, SentImage } from './types.js';

/** An image that was sent. It is let go once: at the first `done()`, or when what that was to wait for is over. */
export function sentImage(o: {
  id: string;
  meta: Required<FrameMeta>;
  isLost: () => boolean;
  letGo: () => void;
}): SentImage {
  let isDone = false;
  return {
    id: o.id,
    meta: wireMeta(o.meta),
    get isLost() {
      return o.isLost();
    },
    done: (until) => {
      if (isDone) return;
      isDone = true;
      if (until) void until.then(o.letGo, o.letGo);
      else o.letGo();
    },
  };
}
