import type { FileHandle } from 'node:fs/promises';

/** All of the bytes or an error: where memory ends, the system writes a part and says so only to those who look. */
export async function writeWhole(
  file: Pick<FileHandle, 'write'>,
  bytes: Uint8Array,
  at?: number,
): Promise<void> {
  const { length } = bytes;
  for (let done = 0; done < length;) {
    const { bytesWritten } = await file.write(
      bytes,
      done,
      length - done,
      at === undefined ? null : at + done,
    );
    if (bytesWritten === 0) throw new Error(`${length - done} of ${length} bytes could not be written`);
    done += bytesWritten;
  }
}
