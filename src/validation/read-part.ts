import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import type { PackageSource } from './package-source.js';

/** The bytes of a part, or its fault: a damaged or too long part must not hide other faults. */
export async function readPart(
  source: PackageSource,
  entry: ArchiveEntry,
  signal: AbortSignal | undefined,
): Promise<Buffer | RunnerError> {
  try {
    return await source.read(entry, { signal });
  } catch (error) {
    if (!RunnerError.is(error) || error.code === 'aborted') throw error;
    return error;
  }
}
