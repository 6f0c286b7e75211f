import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** CAP_SYS_NICE (capabilities(7)). */
const SYS_NICE = 23n;
/** How far a process that starts stands back behind those that work. */
const STEP = 10;
const LOWEST = 19;

/**
 * Lets a process that has just been started stand back behind those that work, with all that it will start: loading
 * libraries and models takes seconds of a core, and calls of other workers would wait for it.
 *
 * Only where it can be undone: a user without rights may lower a priority (raise its nice value) and never raise it again,
 * unless RLIMIT_NICE lets it (setpriority(2); `LimitNICE=+0` of a systemd unit).
 *
 * @returns gives it, and all that it has started by then, the priority of this process; undefined where nothing was done
 */
export function standBack(
  pid: number,
  platform: NodeJS.Platform = process.platform,
): (() => void) | undefined {
  if (platform !== 'linux') return undefined;
  try {
    const own = os.getPriority();
    if (own + STEP > LOWEST || !mayRaiseTo(own)) return undefined;
    os.setPriority(pid, own + STEP);
    return () => {
      stepForward(pid, own);
    };
  } catch {
    return undefined; // it is gone already, or another user's
  }
}

/** Whether this process may lower a priority and raise it again (Linux). */
export function mayStandBack(): boolean {
  try {
    return mayRaiseTo(os.getPriority());
  } catch {
    return true; // the system does not tell
  }
}

/** Whether this process may raise a priority up to `nice`. */
function mayRaiseTo(nice: number): boolean {
  const status = readFileSync('/proc/self/status', 'latin1');
  const rights = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (rights !== undefined && (BigInt(`0x${rights}`) >> SYS_NICE) & 1n) return true;
  const limits = readFileSync('/proc/self/limits', 'latin1');
  const limit = /^Max nice priority\s+(\S+)/m.exec(limits)?.[1];
  return limit === 'unlimited' || 20 - Number(limit) <= nice;
}

/**
 * Each thread has its own priority, and inherits it from the thread that starts it: repeated until no new thread is found.
 */
function stepForward(pid: number, nice: number): void {
  const raised = new Set<number>();
  for (let isNews = true; isNews;) {
    isNews = false;
    for (const thread of threadsBelow(pid)) {
      if (raised.has(thread)) continue;
      raised.add(thread);
      isNews = true;
      try {
        // A thread with an even lower priority, set by the algorithm or the policy, keeps it.
        if (os.getPriority(thread) === nice + STEP) os.setPriority(thread, nice);
      } catch {
        // it has ended
      }
    }
  }
}

/** Thread ids of a process and of all that it has started. */
function threadsBelow(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => [
      Number(thread),
      ...childrenOf(pid, thread).flatMap(threadsBelow),
    ]);
  } catch {
    return [];
  }
}

function childrenOf(pid: number, thread: string): number[] {
  const list = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}
