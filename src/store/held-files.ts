import { setTimeout as delay } from 'node:timers/promises';
import { errnoCode } from './errno.js';

/** How long something of Windows is tried again; tests give their own. */
export interface HeldOptions {
  platform?: NodeJS.Platform;
  /** Longest time of all attempts together. @defaultValue 60_000 */
  limitMs?: number;
  /** Further codes that pass, beside those of a file that is held. */
  passing?: readonly string[];
}

/** A fresh environment is held by a virus scanner for seconds, a folder by an indexer or a window of the Explorer. */
const LIMIT_MS = 60_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** What Node makes of a sharing violation, of a lock, and of a file whose removal waits for its last user. */
const HELD: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EBUSY']);

/**
 * Does what others may be in the way of: on Windows a file that a reader, a virus scanner or an indexer has open can be
 * neither renamed nor removed for that time. Tried again with growing pauses; elsewhere done once.
 *
 * @param what - what is done, for the message: `rename C:\…\a`
 * @throws the error of the system, whose message says how to find out who holds the file
 */
export async function whileHeld<T>(
  what: string,
  work: () => Promise<T>,
  { platform = process.platform, limitMs = LIMIT_MS, passing = [] }: HeldOptions = {},
): Promise<T> {
  if (platform !== 'win32') return work();
  const startedAt = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      const code = errnoCode(error) ?? '';
      if (error instanceof HeldError || (!HELD.has(code) && !passing.includes(code))) throw error;
      const leftMs = startedAt + limitMs - performance.now();
      if (leftMs <= 0)
        throw new HeldError(error as NodeJS.ErrnoException, what, performance.now() - startedAt);
      await delay(Math.min(pauseMs, leftMs));
    }
  }
}

/** Has what code looks at: `code`, `errno`, `path`, `syscall`. */
class HeldError extends Error {
  constructor(error: NodeJS.ErrnoException, what: string, triedMs: number) {
    const { code, errno, path, syscall } = error;
    const tried = triedMs < 1_000 ? '' : `for ${Math.round(triedMs / 1_000)} s `;
    super(
      `${code}: cannot ${what}: ${tried}another program holds it, or the rights of this user forbid it. Resource Monitor ` +
        '(resmon.exe, CPU, Associated Handles) names the program when you search for the name of the file or folder: close ' +
        'it, or exclude the store from the virus scanner',
      { cause: error },
    );
    Object.assign(this, { code, errno, path, syscall });
  }
}
