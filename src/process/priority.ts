import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { childIds } from './child-ids.js';

/** CAP_SYS_NICE (capabilities(7)). */
const SYS_NICE = 23n;
/** How far a process that starts stands back behind those that work. */
const STEP = 10;
const LOWEST = 19;
/** A user without rights may change the nice value of a session once in 100 ms, all users together (EAGAIN). */
const SESSION_RETRY_MS = 150;

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

/**
 * Lets a process that ends stand back behind those that work, for the rest of its life: an interpreter takes its modules apart
 * for tens of milliseconds of a core, which nobody waits for, while the calls of others go on. Nothing is to be given back, so
 * it takes no right.
 */
export function standBackToEnd(pid: number, platform: NodeJS.Platform = process.platform): void {
  if (platform !== 'linux') return;
  try {
    const nice = Math.min(LOWEST, os.getPriority() + STEP);
    if (os.getPriority(pid) < nice) os.setPriority(pid, nice);
  } catch {
    return; // it is gone already, or another user's
  }
  standBackSession(pid);
}

/**
 * Lets the session of a worker stand back as {@link standBack} does for a process. Where the kernel schedules each session as a
 * group (sched(7), "The autogroup feature"), nice values count within a session only, and a worker has a session of its own. Any
 * user may give a session its value back.
 *
 * @returns gives the session the value that it had; undefined where nothing was done
 */
export function standBackSession(
  pid: number,
  platform: NodeJS.Platform = process.platform,
): (() => void) | undefined {
  if (platform !== 'linux') return undefined;
  try {
    const [own, session] = [sessionOf('self') ?? UNGROUPED, sessionOf(pid)];
    if (!session || session.name === own.name || own.nice + STEP > LOWEST) return undefined;
    if (session.nice >= own.nice + STEP) return undefined;
    setSessionNice(pid, own.nice + STEP);
    return () => {
      giveSessionBack(pid, session);
    };
  } catch {
    return undefined; // a kernel without sessions as groups, a process that is gone, or a change of another within 100 ms
  }
}

interface SessionGroup {
  name: string;
  nice: number;
}

/**
 * A process that has had no setsid(2) since the first process of the machine (a container's entry point, a child of an init that
 * makes no sessions) is in no group: its file is empty. It shares the CPU with the groups as one of their size.
 */
const UNGROUPED: SessionGroup = { name: '', nice: 0 };

function sessionOf(process: number | 'self'): SessionGroup | undefined {
  const [, name = '', nice] =
    /^(\S+) nice (-?\d+)$/m.exec(readFileSync(`/proc/${process}/autogroup`, 'latin1')) ?? [];
  return nice === undefined ? undefined : { name, nice: Number(nice) };
}

function setSessionNice(pid: number, nice: number): void {
  writeFileSync(`/proc/${pid}/autogroup`, String(nice));
}

/** Tries again until it is done: a worker that stays back would be slow for the rest of its life. */
function giveSessionBack(pid: number, { name, nice }: SessionGroup): void {
  try {
    if (sessionOf(pid)?.name === name) setSessionNice(pid, nice);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return; // it has ended
    setTimeout(giveSessionBack, SESSION_RETRY_MS, pid, { name, nice }).unref();
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
      ...childIds(pid, thread).flatMap(threadsBelow),
    ]);
  } catch {
    return [];
  }
}
