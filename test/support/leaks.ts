import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a process holds that can leak. */
export interface Holdings {
  /** What the open descriptors lead to, sorted. */
  descriptors: string[];
  /** Running timers of Node. */
  timers: number;
  /** Child processes, zombies included. */
  children: number[];
}

/** What this process holds now (Linux). */
export function holdings(): Holdings {
  return {
    descriptors: readdirSync('/proc/self/fd').flatMap(destination).sort(),
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    children: childrenOf(process.pid),
  };
}

/** Nothing for the descriptor that was open only to list the folder. Numbers of pipes and sockets are left out. */
function destination(descriptor: string): string[] {
  try {
    return [readlinkSync(`/proc/self/fd/${descriptor}`).replace(/\[\d+\]/, '')];
  } catch {
    return [];
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false;
      }
    })
    .map(Number);
}
