import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { isMissing } from '../../store/errno.js';
import type { PackageInspection } from '../../package/types.js';

/** Unpacked to packed, for wheels: NumPy and OpenCV are at 3 to 3.5. */
const WHEEL_EXPANSION = 4;

/** Interpreter links, scripts, folders and the blocks that small files round up to. */
const ENVIRONMENT_BYTES = 4 * 1024 * 1024;

/** Bytes of disk that deploying the package takes: what is unpacked plus its environment. */
export function neededBytes(inspection: PackageInspection): number {
  const packedWheels = inspection.wheels.reduce((sum, wheel) => sum + wheel.sizeBytes, 0);
  return inspection.unpackedBytes + packedWheels * WHEEL_EXPANSION + ENVIRONMENT_BYTES;
}

/**
 * Makes sure that the file system of `folder` (or of its nearest parent that exists) has this much space left.
 * @throws RunnerError `install_failed` with the two figures; its cause is an `ENOSPC`.
 */
export async function checkSpace(
  folder: string,
  bytes: number,
  what: string,
): Promise<{ availableBytes: number }> {
  const { bavail, bsize } = await statNearest(folder);
  const availableBytes = bavail * bsize;
  if (availableBytes >= bytes) return { availableBytes };
  const cause: NodeJS.ErrnoException = new Error(`ENOSPC: no space left on device, statfs '${folder}'`);
  cause.code = 'ENOSPC';
  throw new RunnerError(
    'install_failed',
    `There is not enough space for ${what}: it needs about ${megabytes(bytes)} and ${folder} has ` +
      `${megabytes(availableBytes)} left; free some, for example with prune()`,
    { cause, details: { path: folder, neededBytes: bytes, availableBytes, stage: 'space' } },
  );
}

async function statNearest(folder: string): Promise<{ bavail: number; bsize: number }> {
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      return await statfs(at);
    } catch (error) {
      if (!isMissing(error) || path.dirname(at) === at) throw error;
    }
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
