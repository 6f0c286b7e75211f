import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';

/** For a single source that takes long: the time for all of them is watched between two. */
const LAST_SOURCE_MS = 10_000;

export interface CompileOrder extends OperationOptions {
  /** Program of the interpreter, which runs without anything of an environment. */
  python: string;
  /** The folder with the sources. */
  root: string;
  /** What tracebacks show for it. */
  shownRoot: string;
  /** Sources relative to `root`, with `/`. @defaultValue all but tests */
  files?: readonly string[];
  /** No other source is begun after this time. */
  limitMs: number;
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
}

/** What became of the sources that were to be compiled. */
export interface Compiled {
  /** Compiled. */
  files: number;
  /** Not compiled for want of time. */
  left: number;
}

/**
 * Compiles sources to byte code, in place of all that lies below their folder. What cannot be compiled is left as it is.
 *
 * @throws RunnerError `timeout`, `aborted`, `start_failed`. No byte code is left then.
 */
export async function compileSources(order: CompileOrder): Promise<Compiled> {
  const { python, root, shownRoot, files = [], limitMs, signal, onLine } = order;
  const script = assetPath('python/environments/compile_sources.py');
  try {
    const { stdout } = await run(
      python,
      ['-I', '-S', '-B', '-X', 'utf8', script, shownRoot, String(limitMs / 1000)],
      {
        ...{ cwd: root, env: pythonEnvironment(), timeoutMs: limitMs + LAST_SOURCE_MS, signal, onLine },
        input: files.map((file) => `${JSON.stringify(file)}\n`),
      },
    );
    const { compiled, left } = JSON.parse(stdout) as { compiled: number; left: number };
    return { files: compiled, left };
  } catch (error) {
    await removeByteCode(root); // one file may be half written
    throw error;
  }
}

async function removeByteCode(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (/\.py[co](\.|$)/.test(entry.name)) await rm(path.join(entry.parentPath, entry.name), { force: true });
  }
}
