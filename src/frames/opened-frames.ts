import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { basename } from 'node:path';
import { RunnerError } from '../errors.js';
import { freeMemory } from '../process/free-memory.js';
import type { Life } from '../process/life.js';
import { releaseAbandonedMemory, showMemoryInUse } from './abandoned-memory.js';
import { PictureDecoder } from './decoding/picture-decoder.js';
import { defaultFrameRoot, FrameFolder, makeFrameFolder } from './frame-folder.js';
import { loadMemoryCalls } from './memory-calls.js';
import { loadMappingCalls } from './named-memory.js';
import { SharedMemory } from './shared-memory.js';
import { SlotStore } from './slot-store.js';

/** What a pool has once its folder is there. */
export interface OpenedFrames {
  folder: FrameFolder;
  /** Shows others that the folder is in use. */
  life: Life | undefined;
  /** Removes the sign that sealed memory is in use. */
  memoryInUse: (() => void) | undefined;
  slots: SlotStore;
  decoder: PictureDecoder;
}

const DEFAULT_MAX_BYTES = 512 * 1024 * 1024;

/**
 * Makes the folder of a pool and what keeps frames in it.
 * @throws RunnerError `store_failed` when the system does not let it
 */
export async function openFrames(options: {
  directory?: string;
  maxBytes?: number;
  mapped?: boolean;
  sharp?: boolean;
  gid?: number;
  /** Folder of the store that the frames are for. */
  inStore?: string | undefined;
}): Promise<OpenedFrames> {
  const { mapped = true } = options;
  const { inStore } = options;
  let root = options.directory ?? inStore ?? os.tmpdir();
  try {
    root = options.directory ?? (await defaultFrameRoot({ inStore }));
    const { path, life } = await makeFrameFolder(root, options.gid);
    const folder = new FrameFolder(path, options.gid);
    const calls = mapped ? await loadMemoryCalls() : undefined;
    const memory = calls && (await SharedMemory.isThere(calls)) ? calls : undefined;
    if (memory) releaseAbandonedMemory(memory);
    const named = mapped ? loadMappingCalls() : undefined;
    // Memory is none of the folder's file system: `/dev/shm` of a container has 64 MiB, and holds not a byte of it.
    const free = memory || named ? freeMemory() : await freeSpace(path);
    const maxBytes = options.maxBytes ?? Math.min(DEFAULT_MAX_BYTES, Math.floor(free * 0.75));
    const slots = new SlotStore(folder, maxBytes, { sealed: memory, named });
    const memoryInUse = memory && showMemoryInUse(memory, basename(path));
    return { folder, life, memoryInUse, slots, decoder: new PictureDecoder(options.sharp) };
  } catch (cause) {
    throw new RunnerError(
      'store_failed',
      `No folder for frames can be made in ${root}: ${(cause as Error).message}. Give FramePool another directory`,
      { cause, details: { path: root } },
    );
  }
}

async function freeSpace(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
