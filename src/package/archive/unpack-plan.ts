import type { PlacedEntry } from '../archive-types.js';
import type { DirectoryEntry } from './central-directory.js';

/** A file to unpack. */
export interface PlacedFile extends PlacedEntry {
  entry: DirectoryEntry;
}

/** Small files that lie close together, read in one go; or one large file, read in chunks. */
export type UnpackTask =
  { kind: 'batch'; start: number; end: number; files: PlacedFile[] } | { kind: 'large'; file: PlacedFile };

/** Up to this size packed and unpacked a file is small: inflated in one call, in well under a millisecond. */
export const SMALL_BYTES = 128 * 1024;

/** Bytes of the archive read for one batch. */
const BATCH_BYTES = 512 * 1024;

/** Divides files, given in the order in which they lie, into tasks that may run side by side. */
export function planTasks(files: readonly PlacedFile[]): UnpackTask[] {
  const tasks: UnpackTask[] = [];
  let batch: Extract<UnpackTask, { kind: 'batch' }> | undefined;
  for (const file of files) {
    const { sizeBytes, offset: start, end } = file.entry;
    if (Math.max(sizeBytes, end - start) > SMALL_BYTES) {
      tasks.push({ kind: 'large', file });
    } else if (batch && end - batch.start <= BATCH_BYTES) {
      batch.end = end;
      batch.files.push(file);
    } else {
      batch = { kind: 'batch', start, end, files: [file] };
      tasks.push(batch);
    }
  }
  return tasks;
}
