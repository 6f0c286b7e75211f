import type { spawn } from 'node:child_process';
import path from 'node:path';

/**
 * What starts this program, loaded when the first one is started. Windows starts scripts and finds programs by rules that
 * `cross-spawn` knows: it looks at a dozen files for that while the event loop waits, which a program that is named by its
 * whole path does not need. On other systems it does what Node does, and finding and loading its eight files takes longer than
 * starting a Python.
 */
export async function spawner(command: string): Promise<typeof spawn> {
  const isProgram = path.isAbsolute(command) && /\.exe$/i.test(command);
  if (process.platform === 'win32' && !isProgram)
    return (await import('cross-spawn')).default as typeof spawn;
  return (await import('node:child_process')).spawn;
}
