import { readFileSync } from 'node:fs';
import { windowsCalls } from '../../process/windows-calls.js';

/** What a process takes from the machine. */
export interface ProcessUsage {
  /** Resident memory. */
  rssBytes: number;
  /** CPU time since its start, user and system. */
  cpuMs: number;
}

/** Linux tells CPU time in these (USER_HZ, 100 on every architecture Node runs on). */
const TICK_MS = 10;
/** Fields of /proc/<pid>/stat, counted from the one after the command's name (proc(5): fields 14, 15 and 24). */
const UTIME = 11;
const STIME = 12;
const RSS_PAGES = 21;

/**
 * Memory and CPU time of a process, from `/proc` (Linux): one small read of some ten microseconds, no subprocess. On Windows
 * of the worker's job, with all that it has started, where `koffi` asks the system. Undefined for a process that is gone, and
 * elsewhere, where the system has no such cheap way.
 */
export function readProcessUsage(
  pid: number,
  platform: NodeJS.Platform = process.platform,
): ProcessUsage | undefined {
  if (platform === 'win32') return windowsCalls()?.usage(pid);
  if (platform !== 'linux') return undefined;
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  return parseStat(stat, pageBytes());
}

/** Reads a line of /proc/<pid>/stat. The command's name in it may hold spaces and parentheses. */
export function parseStat(stat: string, bytesPerPage: number): ProcessUsage | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[UTIME]) + Number(fields[STIME]);
  const pages = Number(fields[RSS_PAGES]);
  return Number.isFinite(ticks) && Number.isFinite(pages)
    ? { rssBytes: pages * bytesPerPage, cpuMs: ticks * TICK_MS }
    : undefined;
}

let knownPageBytes: number | undefined;

/** Size of a page: our own memory in bytes over our own memory in pages, rounded to the power of two it must be. */
function pageBytes(): number {
  if (knownPageBytes !== undefined) return knownPageBytes;
  const pages = Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]);
  const ratio = process.memoryUsage.rss() / pages;
  return (knownPageBytes = 2 ** Math.round(Math.log2(ratio)));
}

/** CPU share of a process between one look and the next. */
export class UsageMeter {
  #last: { at: number; cpuMs: number } | undefined;
  #share: number | undefined;

  /** Memory now, and the share of one core (1 is a whole core) since the last look at least 100 ms ago. */
  sample(pid: number, now: number): { rssBytes: number; cpu: number | undefined } | undefined {
    const usage = readProcessUsage(pid);
    if (!usage) return undefined;
    const last = this.#last;
    if (last && now - last.at >= 100) this.#share = (usage.cpuMs - last.cpuMs) / (now - last.at);
    if (!last || now - last.at >= 100) this.#last = { at: now, cpuMs: usage.cpuMs };
    return { rssBytes: usage.rssBytes, cpu: this.#share };
  }
}
