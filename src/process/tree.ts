import type * as ChildProcess from 'node:child_process';
import { nodeModule } from '../node-modules.js';
import { windowsProgram } from './windows-programs.js';

/** What {@link signalTree} may be told; tests give their own. */
export interface TreeOptions {
  platform?: NodeJS.Platform;
  /** Ends the process itself, without what it has started (Windows). @defaultValue by its id */
  endAlone?: () => void;
  /** The program that ends a tree (Windows). @defaultValue `taskkill.exe` of the system */
  taskkill?: readonly [program: string, ...args: string[]];
  /** Until the program has to be through (Windows). @defaultValue 2_000 */
  patienceMs?: number;
}

const PATIENCE_MS = 2_000;
/** Exit code of `taskkill` for a process that is not there. */
const NOT_FOUND = 128;

/**
 * Signals a process and everything in its group (POSIX, for a process spawned `detached`) or its whole tree
 * (Windows, where only forceful ends exist). Never throws: a process that is gone needs no signal, and one of another
 * user (a setuid program that the group holds) can be sent none.
 */
export function signalTree(pid: number, signal: NodeJS.Signals, options: TreeOptions = {}): void {
  // No child has such an id: to kill(2), 0 is the group of this process, and 1 turned into a group is every process there is.
  if (!(pid > 1)) return;
  if ((options.platform ?? process.platform) === 'win32') {
    endTree(pid, options);
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH or EPERM (kill(2)); Darwin says EPERM of a group of zombies too
  }
}

/**
 * Ends what a process that has ended by itself has left in its group (POSIX). Not on Windows: there a tree is found by the
 * processes above it, and the id may be another's by now. What a worker has started is in its job there (job_object.py).
 */
export function signalRemains(pid: number, platform: NodeJS.Platform = process.platform): void {
  if (platform !== 'win32') signalTree(pid, 'SIGKILL', { platform });
}

/**
 * `taskkill` may be missing (a stripped system), be forbidden by a policy, or hang: then at least the process itself ends,
 * since a host would wait for that without limit.
 */
function endTree(pid: number, options: TreeOptions): void {
  const endAlone =
    options.endAlone ??
    (() => {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it is gone
      }
    });
  const [program, ...args] = options.taskkill ?? [windowsProgram('taskkill.exe')];
  // At once, since it may be the last thing that this process does; and only here, since it takes Node a while to load.
  const { spawn } = nodeModule('node:child_process') as typeof ChildProcess;
  let helper: ChildProcess.ChildProcess;
  try {
    helper = spawn(program, [...args, '/pid', String(pid), '/T', '/F'], {
      stdio: 'ignore',
      windowsHide: true,
    });
  } catch {
    endAlone();
    return;
  }
  const timer = setTimeout(() => {
    helper.kill('SIGKILL');
    endAlone();
  }, options.patienceMs ?? PATIENCE_MS);
  helper.once('error', () => {
    clearTimeout(timer);
    endAlone();
  });
  helper.once('exit', (code) => {
    clearTimeout(timer);
    if (code !== 0 && code !== NOT_FOUND) endAlone();
  });
}
