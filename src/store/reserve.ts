import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { errnoCode } from './errno.js';
import type { StoreLayout } from './layout.js';

const { O_RDWR, O_CREAT } = constants;

/** What locks, a journal, copies of mappings and a mark of use take, a block each, with a lot to spare. */
const BASE_BYTES = 256 * 1024;
const STEP_BYTES = 16 * 1024;

/**
 * Runs work that has to be possible on a full disk: removing a version, binding product ids, recovery. The work needs
 * some blocks itself, for locks, a journal and the new registry. Without free blocks the store deletes its reserve, a
 * file kept for this, and the work runs once more; then the reserve is made again, as far as there is space. `work`
 * must leave nothing behind when it fails.
 */
export async function withReserve<T>(layout: StoreLayout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOutOfSpace(error)) throw error;
  }
  // Also where there is none: another host may have given it up just now.
  await rm(layout.reserve, { force: true }).catch(() => undefined);
  try {
    return await work();
  } finally {
    await keepReserve(layout);
  }
}

/**
 * Makes the reserve, or what it lacks: room for the store's small files and for the registry once more. On a disk that is
 * nearly full it gets what is left but for a little. A disk that takes no file at all has none; that is no failure.
 */
export async function keepReserve(layout: StoreLayout): Promise<void> {
  const registryBytes = await sizeOf(layout.registry);
  const wanted = Math.ceil((BASE_BYTES + registryBytes) / STEP_BYTES) * STEP_BYTES;
  if ((await sizeOf(layout.reserve)) >= wanted) return;
  await extend(layout.reserve, wanted).catch(() => undefined);
}

/** In place, each part where it belongs: two hosts that do so at once make one file between them. */
async function extend(file: string, wanted: number): Promise<void> {
  const handle = await open(file, O_RDWR | O_CREAT);
  let at = (await handle.stat()).size;
  try {
    while (at < wanted) {
      // Zeros would take no room on a file system that compresses.
      const part = randomBytes(wanted - at);
      at += (await handle.write(part, 0, part.length, at)).bytesWritten;
    }
  } catch {
    // A line in the log, and whatever else comes next, is to find some room too.
    await handle.truncate(Math.max(0, at - STEP_BYTES));
  } finally {
    await handle.close();
  }
}

/** Whether the disk, or what this user may take of it, is full: by the error itself or by what caused it. */
export function isOutOfSpace(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = errnoCode(at);
    if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  }
  return false;
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}
