import type { spawn } from 'node:child_process';

/**
 * What starts a program, loaded when the first one is started. Windows starts scripts and finds programs by rules that
 * `cross-spawn` knows. On other systems it does what Node does, and finding and loading its eight files takes longer than
 * starting a Python.
 */
export async function spawner(): Promise<typeof spawn> {
  if (process.platform === 'win32') return (await import('cross-spawn')).default as typeof spawn;
  return (await import('node:child_process')).spawn;
}
