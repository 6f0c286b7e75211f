import { execFileSync } from 'node:child_process';
import path from 'node:path';

/**
 * Setup of a whole run: `python3` on the PATH is the interpreter itself. Where it is a shim of pyenv, each start of it runs
 * some thirty processes of bash before it.
 */
export default function setup(): void {
  let executable: string;
  try {
    const script = 'import sys; print(sys.executable)';
    executable = execFileSync('python3', ['-I', '-c', script], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return; // none: what needs one says so
  }
  if (path.basename(executable) !== 'python3') return;
  process.env.PATH = [path.dirname(executable), process.env.PATH].join(path.delimiter);
}
