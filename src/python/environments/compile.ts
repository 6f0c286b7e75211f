import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { listenForAbort, type OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run, type RunResult } from '../../process/run.js';
import { TimeLimit } from '../time-limit.js';

/** For a single source that takes long: the time for all of them is watched between two. */
const LAST_SOURCE_MS = 10_000;
/** How long a trial run takes is not known here. The longest time that a timer can wait. */
const NO_LIMIT_MS = 2 ** 31 - 1;

/** Where sources are compiled, and by whom. */
interface CompilePlace extends OperationOptions {
  /** Program of the interpreter, which runs without anything of an environment. */
  python: string;
  /** The folder with the sources. */
  root: string;
  /** What tracebacks show for it. */
  shownRoot: string;
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
}

interface WhatToCompile {
  /** Sources relative to `root`, with `/`. @defaultValue all but tests */
  files?: readonly string[] | undefined;
  /** No other source is begun after this time. */
  limitMs: number;
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
export async function compileSources(order: CompilePlace & WhatToCompile): Promise<Compiled> {
  await using compiling = new Compiling(order);
  return await compiling.finish(order);
}

/**
 * A compiler that has been started, and waits to be told what to compile. Nothing is written before that; it ends with
 * this.
 */
export class Compiling implements AsyncDisposable {
  readonly #place: CompilePlace;
  readonly #ending = new AbortController();
  readonly #process: Promise<RunResult>;
  #give: (lines: readonly string[]) => void = () => undefined;

  /** `told`: a file in which a trial run says what it loads; that is compiled in memory until {@link Compiling.finish}. */
  constructor(place: CompilePlace, told?: string) {
    const { python, root, shownRoot, signal, onLine } = place;
    const script = assetPath('python/environments/compile_sources.py');
    const given = new Promise<readonly string[]>((resolve) => (this.#give = resolve));
    this.#place = place;
    this.#process = run(
      python,
      ['-I', '-S', '-B', '-X', 'utf8', script, shownRoot, ...(told === undefined ? [] : [told])],
      {
        ...{ cwd: root, env: pythonEnvironment(), timeoutMs: NO_LIMIT_MS, onLine },
        signal: AbortSignal.any([this.#ending.signal, ...(signal ? [signal] : [])]),
        input: (async function* () {
          yield* await given;
        })(),
      },
    );
    this.#process.catch(() => undefined); // reported by finish()
  }

  /** As {@link compileSources}. */
  async finish({ files = [], limitMs }: WhatToCompile): Promise<Compiled> {
    const { python, root } = this.#place;
    const timeoutMs = limitMs + LAST_SOURCE_MS;
    const limit = new TimeLimit(timeoutMs, undefined);
    listenForAbort(limit.signal, () => {
      this.#ending.abort();
    });
    try {
      this.#give([`${limitMs / 1000}\n`, ...files.map((file) => `${JSON.stringify(file)}\n`)]);
      const { stdout } = await this.#process;
      const { compiled, left } = JSON.parse(stdout) as { compiled: number; left: number };
      return { files: compiled, left };
    } catch (error) {
      await removeByteCode(root); // one file may be half written
      if (!limit.hasPassed) throw error;
      throw new RunnerError('timeout', `${python} did not end within ${timeoutMs} ms and was killed`, {
        cause: error,
        details: { timeoutMs },
      });
    } finally {
      limit[Symbol.dispose]();
    }
  }

  /** Ends the process and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#give([]);
    await this.#process.catch(() => undefined);
  }
}

async function removeByteCode(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (/\.py[co](\.|$)/.test(entry.name)) await rm(path.join(entry.parentPath, entry.name), { force: true });
  }
}
