import { isRecord } from '../arguments.js';
import { Door, flag, lazily, option, text, whole } from '../options.js';
import type { ToEightBits } from './pixels/formats.js';

/** Options of a {@link FramePool}. */
export interface FramePoolOptions {
  /**
   * Folder to make the pool's own folder in.
   * @defaultValue `/dev/shm`, else `algorithms/.frames` of the store of the supervisor, else the temp dir
   */
  directory?: string;
  /**
   * Bytes that frames may take: whole, above 0. @defaultValue 512 MiB, or three quarters of what is free if that is less:
   * of memory, or of the file system of `directory` where frames are files
   */
  maxBytes?: number;
  /**
   * Whether to keep frames in memory that workers map, where `koffi` is installed: sealed memory, of which they get the
   * descriptor (Linux 5.1, glibc), or memory of which they get the name (Windows). Otherwise frames are files. @defaultValue true
   */
  mapped?: boolean;
  /**
   * Whether to decode JPEG, TIFF and WebP by the optional package `sharp`, where it is installed. Without it JPEG is decoded by
   * this library, and TIFF and WebP are refused. @defaultValue true
   */
  sharp?: boolean;
  /** Group that may read the frames: that of workers that run as another user (POSIX). @defaultValue nobody but the host's user */
  gid?: number;
  /**
   * Folder with the files that ship beside the modules of this library: a copy of its `dist`. For a bundle, which does not know
   * where they are; the same in every part of a process.
   * @defaultValue the variable `PROCVISION_ASSETS`, else the folder of the module
   */
  assets?: string;
}

/** How values of more than 8 bits become 8. Its numbers are looked at by `checkToEightBits`. */
export function toEightBits() {
  const rule = "must be 'shift' or { min, max }";
  return option<ToEightBits>('toEightBits', rule, (value) => value === 'shift' || isRecord(value));
}

/** What each call of a `FramePool` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  framePool: new Door<FramePoolOptions>('new FramePool(options)', {
    directory: text(),
    maxBytes: whole(1),
    mapped: flag(),
    sharp: flag(),
    gid: whole(0, 0xffff_fffe),
    assets: text(),
  }),
}));
