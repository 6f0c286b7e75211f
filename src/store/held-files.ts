import { setTimeout as delay } from 'node:timers/promises';
import { windowsCalls } from '../process/windows-calls.js';
import { errnoCode } from './errno.js';

/** How long something of Windows is tried again; tests give their own. */
export interface HeldOptions {
  platform?: NodeJS.Platform;
  /** Longest time of all attempts together. @defaultValue 60_000 */
  limitMs?: number;
  /** Further codes that pass, beside those of a file that is held. */
  passing?: readonly string[];
  /** Asks who has a file open. @defaultValue the Restart Manager, where `koffi` is installed */
  holders?: (file: string) => Promise<readonly string[]>;
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
 * @throws the error of the system, whose message names the programs that hold the file, or says how to find out
 */
export async function whileHeld<T>(
  what: string,
  work: () => Promise<T>,
  { platform = process.platform, limitMs = LIMIT_MS, passing = [], holders = holdersOf }: HeldOptions = {},
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
      if (leftMs <= 0) {
        const triedMs = performance.now() - startedAt;
        const held = error as NodeJS.ErrnoException;
        throw new HeldError(held, { what, triedMs, programs: await programsOf(held, holders) });
      }
      await delay(Math.min(pauseMs, leftMs));
    }
  }
}

async function holdersOf(file: string): Promise<readonly string[]> {
  return (await windowsCalls()?.holders(file)) ?? [];
}

/** Who holds one of the files that an error of the system names; of a folder the system tells none. */
async function programsOf(
  { path, dest }: NodeJS.ErrnoException & { dest?: string },
  holders: (file: string) => Promise<readonly string[]>,
): Promise<string[]> {
  const files = [path, dest].filter((file) => file !== undefined);
  const found = await Promise.all(files.map((file) => holders(file).catch(() => [])));
  return [...new Set(found.flat())];
}

interface Held {
  what: string;
  triedMs: number;
  programs: readonly string[];
}

/** Has what code looks at: `code`, `errno`, `path`, `syscall`. */
class HeldError extends Error {
  constructor(error: NodeJS.ErrnoException, { what, triedMs, programs }: Held) {
    const { code, errno, path, syscall } = error;
    const tried = triedMs < 1_000 ? '' : `for ${Math.round(triedMs / 1_000)} s `;
    const isNamed = programs.length > 0;
    const who = isNamed ? programs.join(', ') : 'another program';
    const verb = programs.length > 1 ? 'hold' : 'holds';
    const remedy = isNamed
      ? `Close ${programs.length > 1 ? 'them' : 'it'}, or exclude the store from the virus scanner`
      : 'Resource Monitor (resmon.exe, CPU, Associated Handles) names the program when you search for the name of the file ' +
        'or folder: close it, or exclude the store from the virus scanner';
    super(
      `${code}: cannot ${what}: ${tried}${who} ${verb} it${isNamed ? '' : ', or the rights of this user forbid it'}. ${remedy}`,
      { cause: error },
    );
    Object.assign(this, { code, errno, path, syscall });
  }
}
