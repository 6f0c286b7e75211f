import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A script of this folder, run in a process of its own. */
export interface ScriptRun {
  process: ChildProcess;
  /** Everything it printed, so far or in the end. */
  output: () => string;
  end: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** Starts `test/support/<file>`, or a bundle of it, with arguments; `onLine` gets each line it prints. */
export function startScript(file: string, args: string[], onLine?: (line: string) => void): ScriptRun {
  const command = path.isAbsolute(file)
    ? [file]
    : ['--import', 'tsx', fileURLToPath(new URL(`./${file}`, import.meta.url))];
  const child = spawn(process.execPath, [...command, ...args], {
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
