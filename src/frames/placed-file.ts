import { lstat, open, rename, rm, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { writeWhole } from '../store/write-whole.js';
import { FRAME_MODE, type FrameFolder } from './frame-folder.js';
import { trailerOf, TRAILER_BYTES } from './proof.js';

/** What a file holds. */
export interface FileContent {
  header: Uint8Array;
  body: Uint8Array;
  generation: number;
}

/** A file that was written, and what distinguishes it from another file of the same name. */
interface WrittenFile {
  handle: FileHandle;
  inode: number;
  device: number;
  generation: number;
}

/**
 * One image's file in the folder of the workers that read it. It is never mapped by this process: whatever is done to it
 * is an error of a system call here, or a short read there. What is not as it was left is made anew, folder and all.
 */
export class PlacedFile {
  readonly #folder: FrameFolder;
  readonly #place: string;
  readonly #path: string;
  #file: WrittenFile | undefined;

  constructor(folder: FrameFolder, place: string, name: string) {
    this.#folder = folder;
    this.#place = place;
    this.#path = path.join(place, name);
  }

  /** The generation that it was last written with; 0 when there is none. */
  get generation(): number {
    return this.#file?.generation ?? 0;
  }

  /** Leaves the file whole, under its name, with this content. */
  async ensure(content: FileContent): Promise<void> {
    const file = this.#file;
    if (!file || !(await this.#isIntact(file, content))) {
      await this.#make(content);
    } else if (file.generation !== content.generation) {
      await fill(file.handle, content);
      file.generation = content.generation;
    }
  }

  async remove(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    await file.handle.close();
    await unlink(this.#path).catch(() => undefined);
  }

  /** Whether the name still leads to the file that was made, and nothing but its body can have changed. */
  async #isIntact({ handle, inode, device }: WrittenFile, content: FileContent): Promise<boolean> {
    const { header, body } = content;
    try {
      const found = await lstat(this.#path);
      if (!isOneFile(found, { inode, device }) || !found.isFile()) return false;
      if (found.size !== header.length + body.length + TRAILER_BYTES) return false;
      if (process.platform !== 'win32' && (found.mode & 0o777) !== FRAME_MODE) return false;
      if (header.length === 0) return true;
      const begin = Buffer.alloc(header.length);
      const { bytesRead } = await handle.read(begin, 0, begin.length, 0);
      return bytesRead === begin.length && begin.equals(header);
    } catch {
      return false;
    }
  }

  /** A new file, complete before it has its name. */
  async #make(content: FileContent): Promise<void> {
    await this.remove();
    await this.#folder.ensure(this.#place);
    const unfinished = `${this.#path}.new`;
    await rm(unfinished, { recursive: true, force: true });
    const handle = await open(unfinished, 'wx+', FRAME_MODE);
    try {
      await handle.chmod(FRAME_MODE);
      await writeWhole(handle, content.header, 0);
      await fill(handle, content);
      await rename(unfinished, this.#path).catch(async () => {
        await rm(this.#path, { recursive: true, force: true }); // a folder of that name, for one
        await rename(unfinished, this.#path);
      });
      const { ino: inode, dev: device } = await handle.stat();
      this.#file = { handle, inode, device, generation: content.generation };
    } catch (error) {
      await handle.close();
      await unlink(unfinished).catch(() => undefined);
      throw error;
    }
  }
}

/**
 * Whether a path leads to the file that was written. On Windows by the number alone: some Nodes (22.12 to 22.16, 24.0 and 24.1)
 * tell of a path another device than of the open file, and what lies at the path is in the same folder.
 */
export function isOneFile(
  found: { ino: number; dev: number },
  { inode, device }: Pick<WrittenFile, 'inode' | 'device'>,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return found.ino === inode && (platform === 'win32' || found.dev === device);
}

async function fill(handle: FileHandle, { header, body, generation }: FileContent): Promise<void> {
  await writeWhole(handle, body, header.length);
  await writeWhole(handle, trailerOf(generation), header.length + body.length);
}
