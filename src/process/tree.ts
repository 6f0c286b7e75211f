import type * as ChildProcess from 'node:child_process';
import { nodeModule } from '../node-modules.js';

/**
 * Signals a process and everything in its group (POSIX, for a process spawned `detached`) or its whole tree
 * (Windows, where only forceful ends exist). Never throws: a process that is gone needs no signal, and one of another
 * user (a setuid program that the group holds) can be sent none.
 */
export function signalTree(
  pid: number,
  signal: NodeJS.Signals,
  platform: NodeJS.Platform = process.platform,
): void {
  if (platform === 'win32') {
    // At once, since it may be the last thing that this process does; and only here, since it takes Node a while to load.
    const { spawn } = nodeModule('node:child_process') as typeof ChildProcess;
    spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true }).on(
      'error',
      () => undefined,
    );
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH or EPERM (kill(2)); Darwin says EPERM of a group of zombies too
  }
}
