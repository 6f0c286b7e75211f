import type { ArchiveLimits } from '../types.js';
import { RunnerError } from '../../errors.js';
import { zipFault } from './fault.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Wide enough for a 6 GB package with a deep-learning framework in it, narrow enough that no package fills a disk. */
export const DEFAULT_ARCHIVE_LIMITS: Readonly<ArchiveLimits> = Object.freeze({
  maxEntries: 200_000,
  maxUnpackedBytes: 32 * GIB,
  maxFileBytes: 16 * GIB,
  maxRatio: 200,
});

/**
 * Below this sum a ratio says nothing. A padded library, a mask, a black picture or a tensor of zeros shrinks as far as
 * deflate can (1,032-fold), and what it unpacks to is bounded anyway; only where the sum takes minutes to unpack is a
 * thousandfold a sign of an attack.
 */
const RATIO_MATTERS_FROM_BYTES = GIB;

/** Room for names, extra fields and comments that the directory may take for each permitted entry. */
const DIRECTORY_BYTES_PER_ENTRY = 512;

/**
 * The defaults with what the caller gave.
 * @throws RunnerError `invalid_params` when a limit is not a positive number.
 */
export function resolveLimits(limits: Partial<ArchiveLimits> | undefined): ArchiveLimits {
  const resolved: ArchiveLimits = { ...DEFAULT_ARCHIVE_LIMITS };
  for (const key of Object.keys(DEFAULT_ARCHIVE_LIMITS) as (keyof ArchiveLimits)[]) {
    const value = limits?.[key];
    if (value === undefined) continue;
    if (!(value > 0)) {
      throw new RunnerError('invalid_params', `The archive limit ${key} must be a positive number`);
    }
    resolved[key] = value;
  }
  return resolved;
}

/** The directory is read whole, so its size is bounded before it is. */
export function checkDirectorySize(
  archive: string,
  limits: ArchiveLimits,
  directory: { entries: number; bytes: number },
): void {
  if (directory.entries > limits.maxEntries) {
    throw zipFault(
      archive,
      `has ${directory.entries} entries, more than the ${limits.maxEntries} permitted`,
      undefined,
      beyond('maxEntries'),
    );
  }
  const permitted = Math.max(MIB, limits.maxEntries * DIRECTORY_BYTES_PER_ENTRY);
  if (directory.bytes > permitted) {
    throw zipFault(
      archive,
      `its directory takes ${directory.bytes} bytes, more than the ${permitted} permitted`,
      undefined,
      beyond('maxEntries'),
    );
  }
}

/** Sizes are the declared ones: reading holds every entry to them, so nothing larger can come out. */
export function checkUnpackedSizes(
  archive: string,
  limits: ArchiveLimits,
  entries: readonly { name: string; sizeBytes: number; compressedBytes: number }[],
): number {
  let unpackedBytes = 0;
  let packedBytes = 0;
  entries.forEach(({ name, sizeBytes, compressedBytes }) => {
    if (sizeBytes > limits.maxFileBytes) {
      throw zipFault(
        archive,
        `unpacks to ${sizeBytes} bytes, more than the ${limits.maxFileBytes} permitted for one file`,
        name,
        beyond('maxFileBytes'),
      );
    }
    unpackedBytes += sizeBytes;
    packedBytes += compressedBytes;
  });
  if (unpackedBytes > limits.maxUnpackedBytes) {
    throw zipFault(
      archive,
      `unpacks to ${unpackedBytes} bytes, more than the ${limits.maxUnpackedBytes} permitted`,
      undefined,
      beyond('maxUnpackedBytes'),
    );
  }
  if (unpackedBytes > RATIO_MATTERS_FROM_BYTES && unpackedBytes > packedBytes * limits.maxRatio) {
    throw zipFault(
      archive,
      `unpacks from ${packedBytes} to ${unpackedBytes} bytes, more than the ${limits.maxRatio}-fold that is permitted`,
      undefined,
      beyond('maxRatio'),
    );
  }
  return unpackedBytes;
}

/** What to do about an archive beyond a limit. */
export function beyond(limit: keyof ArchiveLimits): { remedy: string } {
  return {
    remedy: `Ask its maker for a smaller one, or raise ${limit} in the option limits if it is meant to be so`,
  };
}
