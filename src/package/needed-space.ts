import type { PackageInspection, Wheel } from './types.js';

/** Unpacked to packed, for wheels that could not be looked into: NumPy and OpenCV are at 3 to 3.5. */
const WHEEL_EXPANSION = 4;

/** Interpreter links, scripts, folders and the blocks that small files round up to. */
const ENVIRONMENT_BYTES = 4 * 1024 * 1024;

/** What an environment has besides its wheels' files, and what a version has besides its package's. */
const ENVIRONMENT_FILES = 100;

/** The folders of a wheel are made in the store and once more in the environment; its files are linked. */
const SECOND_FOLDERS = 1.2;

/** What deploying a package takes of a disk: what is unpacked, and its environment. */
export function neededSpace(inspection: PackageInspection): { bytes: number; files: number } {
  const need = {
    bytes: inspection.unpackedBytes + ENVIRONMENT_BYTES,
    files: inspection.entries + ENVIRONMENT_FILES,
  };
  for (const wheel of installedAtMost(inspection.wheels)) {
    need.bytes += unpackedBytesOf(wheel);
    need.files += Math.ceil((wheel.files ?? 0) * SECOND_FOLDERS);
  }
  return need;
}

/** One wheel of each project, the largest: a package may have those of several systems, of which one is installed. */
function installedAtMost(wheels: readonly Wheel[]): Iterable<Wheel> {
  const largest = new Map<string, Wheel>();
  for (const wheel of wheels) {
    const other = largest.get(wheel.name);
    if (!other || unpackedBytesOf(other) < unpackedBytesOf(wheel)) largest.set(wheel.name, wheel);
  }
  return largest.values();
}

function unpackedBytesOf({ unpackedBytes, sizeBytes }: Wheel): number {
  return unpackedBytes ?? sizeBytes * WHEEL_EXPANSION;
}
