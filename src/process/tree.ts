import { spawn } from 'node:child_process';

/**
 * Signals a process and everything in its group (POSIX, for a process spawned `detached`) or its whole tree
 * (Windows, where only forceful ends exist). A process that is gone is not an error.
 */
export function signalTree(
  pid: number,
  signal: NodeJS.Signals,
  platform: NodeJS.Platform = process.platform,
): void {
  if (platform === 'win32') {
    spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true }).on(
      'error',
      () => undefined,
    );
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
