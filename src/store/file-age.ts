import { randomUUID } from 'node:crypto';
import { lstat, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Which of a file's times is compared: that of its content, or that of its last change of any kind, which nobody can set. */
export type FileTime = 'mtimeMs' | 'ctimeMs';

/**
 * How long ago a file was touched, in milliseconds, by the clock of its own file system: it is compared with a file
 * made now beside it, since the clocks of two hosts differ and may be set. Undefined when the file is gone, or the
 * folder takes no new one.
 */
export async function ageOf(file: string, time: FileTime = 'mtimeMs'): Promise<number | undefined> {
  const probe = path.join(path.dirname(file), `.${randomUUID()}.probe`);
  try {
    await writeFile(probe, '', { flag: 'wx' });
    const [then, now] = await Promise.all([lstat(file), lstat(probe)]);
    return now[time] - then[time];
  } catch {
    return undefined;
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/** Whether a file of this name is what {@link ageOf} was killed over. */
export function isProbeName(name: string): boolean {
  return /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.probe$/.test(name);
}
