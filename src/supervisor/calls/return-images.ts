import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { SentImages } from './call-observer.js';

/**
 * The call is over: its slots may be used again. The slot of an abandoned worker stays reserved until that worker,
 * which may go on reading, and all its subprocesses have ended, and until `holds` have settled.
 */
export function returnImages(
  { image, guideImage }: SentImages,
  tried: ReadonlySet<AlgorithmWorker>,
  retained: readonly Promise<unknown>[],
): void {
  const leaving = [...tried]
    .filter(({ state }) => state === 'stopping' || state === 'exited')
    .map((worker) => worker.whenTreeEnded());
  const readers = [...leaving, ...retained];
  const released = readers.length > 0 ? Promise.allSettled(readers) : undefined;
  image.done(released);
  guideImage?.done(released);
}
