import type { OperationOptions } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import { pythonEnvironment } from '../../process/environment.js';
import { run } from '../../process/run.js';
import { plainText, showAs } from '../../readable.js';
import { FactsFile, markOfFile } from './facts-file.js';
import type { PythonFacts } from './python-facts.js';
import type { Interpreter } from '../types.js';

/** A file that should be a Python, and why it cannot be used. */
export interface UnusablePython {
  path: string;
  reason: string;
}

/** An interpreter that was asked: its facts, or why it cannot be used. */
export type Probed =
  { ok: true; facts: PythonFacts; interpreter: Interpreter } | ({ ok: false } & UnusablePython);

const PROBE_TIMEOUT_MS = 20_000;

/** Asks interpreters what they are, each once as long as the file stays the same. */
export class FactsCache {
  #file: FactsFile | undefined;
  readonly #known = new Map<string, { mark: string; answer: Promise<Probed> }>();

  /** Keeps answers in this file between processes from now on. */
  keepIn(file: string): void {
    this.#file ??= new FactsFile(file);
  }

  /** Asks the interpreter at this path; that of a virtual environment stands for the one it was made from. */
  async ask(path: string, options: OperationOptions = {}): Promise<Probed> {
    const mark = await markOfFile(path);
    if (mark === undefined) return { ok: false, path, reason: 'there is no such file' };
    const known = this.#known.get(path);
    if (known?.mark === mark) {
      return known.answer.catch((error: unknown) => {
        // It was another caller's question that was aborted, not ours.
        if (options.signal?.aborted || !RunnerError.is(error, 'aborted')) throw error;
        return this.ask(path, options);
      });
    }
    const answer = this.#recall(path, mark, options);
    this.#known.set(path, { mark, answer });
    // An aborted question was not answered; any other failure is an answer.
    answer.catch(() => {
      if (this.#known.get(path)?.answer === answer) this.#known.delete(path);
    });
    return answer;
  }

  /** Facts of an interpreter that must be usable. */
  async get(interpreter: Interpreter, options: OperationOptions = {}): Promise<PythonFacts> {
    const answer = await this.ask(interpreter.path, options);
    if (answer.ok) return answer.facts;
    throw new RunnerError('incompatible_python', `${interpreter.path} cannot be used: ${answer.reason}`, {
      details: { path: interpreter.path },
    });
  }

  async #recall(path: string, mark: string, options: OperationOptions): Promise<Probed> {
    const remembered = await this.#file?.get(path, mark);
    const answer = remembered ? usable(remembered) : await this.#askBase(path, options);
    if (!answer.ok) return answer;
    if (!remembered) await this.#file?.set(path, mark, answer.facts);
    await this.#nameToo(answer);
    return answer;
  }

  /** A command or a shim of pyenv says where the interpreter is: asked there later, it need not start once more. */
  async #nameToo(answer: Probed & { ok: true }): Promise<void> {
    const { path } = answer.interpreter;
    const mark = await markOfFile(path);
    if (mark !== undefined && this.#known.get(path)?.mark !== mark)
      this.#known.set(path, { mark, answer: Promise.resolve(answer) });
  }

  async #askBase(path: string, options: OperationOptions): Promise<Probed> {
    const first = await probe(path, options);
    if (!first.ok || first.facts.base === first.facts.executable) return first;
    return this.ask(first.facts.base, options);
  }
}

async function probe(path: string, { signal }: OperationOptions): Promise<Probed> {
  const script = assetPath('python/interpreters/probe.py'); // its absence is no fault of the interpreter
  let result;
  try {
    result = await run(path, ['-I', '-B', '-X', 'utf8', script], {
      env: pythonEnvironment(),
      timeoutMs: PROBE_TIMEOUT_MS,
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    return { ok: false, path, reason: (error as Error).message };
  }
  const facts = parse(result.stdout);
  if (!facts) {
    const said = result.stderr.trim().split('\n').at(-1) ?? '';
    return {
      ok: false,
      path,
      reason: `it is no Python that can be used (exit ${result.exitCode ?? ''}) ${said}`,
    };
  }
  if (facts.tags === undefined) {
    return { ok: false, path, reason: `Python ${facts.version} is too old: 3.8 or later is needed` };
  }
  return usable(facts as PythonFacts);
}

function usable(facts: PythonFacts): Probed {
  const { base: path, version, implementation, abi, platform } = facts;
  const interpreter: Interpreter = {
    path,
    version,
    implementation,
    abi,
    platform,
    tags: new Set(facts.tags),
    ...(facts.has_zstd && { readsZstandard: true }),
  };
  showAs(interpreter, 'Interpreter', () => {
    // It takes about a thousand tags.
    const [best = ''] = interpreter.tags;
    const tags = plainText(`${interpreter.tags.size}, ${best} before all others`);
    return { path, version, implementation, abi, platform, tags };
  });
  return { ok: true, facts, interpreter };
}

/** The probe's answer. An interpreter that is too old gives its version and path alone. */
function parse(stdout: string): (Partial<PythonFacts> & { version: string }) | undefined {
  try {
    const value: unknown = JSON.parse(stdout);
    const isAnswer =
      typeof value === 'object' && value !== null && 'version' in value && 'executable' in value;
    return isAnswer ? (value as Partial<PythonFacts> & { version: string }) : undefined;
  } catch {
    return undefined;
  }
}
