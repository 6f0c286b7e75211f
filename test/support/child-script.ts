import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { bundledScript } from './bundled-script.js';

/** A script of this folder, run in a process of its own. */
export interface ScriptRun {
  process: ChildProcess;
  /** Everything it printed, so far or in the end. */
  output: () => string;
  end: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** A container as far as processes go: a PID namespace, with its own /proc, and a host name, which end with the command. */
const BOX = ['unshare', '-r', '--pid', '--fork', '--kill-child', '--mount-proc', '--uts'];

/** Whether this system makes such containers. */
export const canBox = (): boolean =>
  spawnSync(BOX[0] ?? '', [...BOX.slice(1), 'hostname', 'box']).status === 0;

/**
 * Starts `test/support/<file>` with arguments; `onLine` gets each line it prints. In a box it sees neither our pids nor
 * our host name.
 */
export async function startScript(
  file: string,
  args: string[],
  onLine?: (line: string) => void,
  options: { inBox?: boolean } = {},
): Promise<ScriptRun> {
  const box = options.inBox ? [...BOX, 'sh', '-c', 'hostname box && exec "$0" "$@"'] : [];
  const [command = '', ...given] = [...box, process.execPath, await bundledScript(file), ...args];
  const child = spawn(command, given, {
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
