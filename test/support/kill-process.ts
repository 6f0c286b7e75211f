import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { bundledScript } from './bundled-script.js';
import { IS_WINDOWS } from './platform.js';
import type { Durability } from '../../src/store/atomic-file.js';
import type { FileStepPlan } from '../../src/testing/index.js';

export interface ChildEnd {
  signal: NodeJS.Signals | null;
  exitCode: number | null;
  report: { calls: string[]; code?: string; message?: string; cause?: string } | undefined;
  stderr: string;
}

/** How a process ends that kills itself: Windows has no signals, and one that fails says why. */
export const KILLED: Partial<ChildEnd> = IS_WINDOWS ? { exitCode: 1, stderr: '' } : { signal: 'SIGKILL' };

/** Runs a scenario's operation in a process of its own, following a plan, to whatever end it comes to. */
export async function runChild(
  name: string,
  root: string,
  plan: FileStepPlan,
  durability?: Durability,
): Promise<ChildEnd> {
  return (await startChild(name, root, plan, durability)).end;
}

/** As {@link runChild}, without waiting. */
export async function startChild(
  name: string,
  root: string,
  plan: FileStepPlan,
  durability: Durability = 'none',
): Promise<{ process: ChildProcess; end: Promise<ChildEnd> }> {
  const script = await bundledScript('kill-child.ts');
  const child = spawn(process.execPath, [script, name, root, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, STORE_DURABILITY: durability },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = new Promise<ChildEnd>((resolve) => {
    child.once('close', (exitCode, signal) => {
      const report = stdout === '' ? undefined : (JSON.parse(stdout) as ChildEnd['report']);
      resolve({ exitCode, signal, report, stderr });
    });
  });
  return { process: child, end };
}

/** Waits until a process is stopped, as the system tells (proc(5)). */
export async function stopped({ pid = 0 }: ChildProcess): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
