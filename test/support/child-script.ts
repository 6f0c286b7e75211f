import { spawn, type ChildProcess } from 'node:child_process';
import { bundledScript } from './bundled-script.js';

/** A script of this folder, run in a process of its own. */
export interface ScriptRun {
  process: ChildProcess;
  /** Everything it printed, so far or in the end. */
  output: () => string;
  end: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** Starts `test/support/<file>` with arguments; `onLine` gets each line it prints. */
export async function startScript(
  file: string,
  args: string[],
  onLine?: (line: string) => void,
): Promise<ScriptRun> {
  const child = spawn(process.execPath, [await bundledScript(file), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine?.(line);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = new Promise<Awaited<ScriptRun['end']>>((resolve) => {
    child.once('close', (exitCode, signal) => {
      resolve({ exitCode, signal, stdout, stderr });
    });
  });
  return { process: child, output: () => stdout, end };
}
