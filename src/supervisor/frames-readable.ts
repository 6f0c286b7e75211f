import { RunnerError } from '../errors.js';
import type { FramePool } from '../frames/frame-pool.js';

/** A worker that may not read a frame would take it for a black image, and give a verdict on that. @throws RunnerError `invalid_params` */
export function checkReadable(frames: FramePool, gid: number | undefined): void {
  if (gid === undefined || frames.gid === gid) return;
  throw new RunnerError(
    'invalid_params',
    `Workers of group ${gid} could not read the frames of this pool: make it with new FramePool({ gid: ${gid} })`,
    { details: { path: 'frames' } },
  );
}
