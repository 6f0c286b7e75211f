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

/** An interpreter that was asked: its facts, or why it cannot be used, and whether that can change without its file. */
export type Probed =
  | { ok: true; facts: PythonFacts; interpreter: Interpreter }
  | ({ ok: false; isFinal?: boolean } & UnusablePython);

const PROBE_TIMEOUT_MS = 20_000;
/** An answer that may change holds as long as one installation asks again and again; longer where it took seconds. */
const PASSING_MS = 10_000;

interface Asked {
  mark: string;
  answer: Promise<Probed>;
  /** By the monotonic clock. */
  untilMs: number;
  /** The interpreter that the file stands for, where that is another file, and its mark. */
  base?: { path: string; mark: string | undefined };
}

/**
 * Asks interpreters what they are, each once as long as the file stays the same. What does not depend on that file alone
 * is asked again after a moment: why it did not start (a library that is missing, a machine under load), and a module or
 * a pip that it lacks, which a package of the system adds beside it.
 */
export class FactsCache {
  #file: FactsFile | undefined;
  readonly #known = new Map<string, Asked>();
  readonly #passingMs: number;

  constructor(passingMs = PASSING_MS) {
    this.#passingMs = passingMs;
  }

  /** Keeps answers in this file between processes from now on. */
  keepIn(file: string): void {
    this.#file ??= new FactsFile(file);
  }

  /** Asks the interpreter at this path; that of a virtual environment stands for the one it was made from. */
  async ask(path: string, options: OperationOptions = {}): Promise<Probed> {
    const mark = await markOfFile(path);
    if (mark === undefined) return { ok: false, path, reason: 'there is no such file' };
    const known = this.#known.get(path);
    if (known?.mark === mark && performance.now() < known.untilMs && (await isBaseSame(known))) {
      return known.answer.catch((error: unknown) => {
        // It was another caller's question that was aborted, not ours.
        if (options.signal?.aborted || !RunnerError.is(error, 'aborted')) throw error;
        return this.ask(path, options);
      });
    }
    const answer = this.#recall(path, mark, options);
    const asked: Asked = { mark, answer, untilMs: Infinity };
    this.#known.set(path, asked);
    const askedMs = performance.now();
    try {
      const probed = await answer;
      const nowMs = performance.now();
      const tookSeconds = (nowMs - askedMs) / 1000;
      if (!isLasting(probed)) asked.untilMs = nowMs + this.#passingMs * Math.max(1, tookSeconds);
      const base = probed.ok ? probed.interpreter.path : path;
      if (base !== path) asked.base = { path: base, mark: await markOfFile(base) };
      return probed;
    } catch (error) {
      // An aborted question was not answered; any other failure is an answer.
      if (this.#known.get(path) === asked) this.#known.delete(path);
      throw error;
    }
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
    if (!remembered && isLasting(answer)) await this.#file?.set(path, mark, answer.facts);
    await this.#nameToo(answer);
    return answer;
  }

  /** A command or a shim of pyenv says where the interpreter is: asked there later, it need not start once more. */
  async #nameToo(answer: Probed & { ok: true }): Promise<void> {
    const { path } = answer.interpreter;
    const mark = await markOfFile(path);
    if (mark === undefined || this.#known.get(path)?.mark === mark) return;
    const untilMs = isLasting(answer) ? Infinity : performance.now() + this.#passingMs;
    this.#known.set(path, { mark, answer: Promise.resolve(answer), untilMs });
  }

  async #askBase(path: string, options: OperationOptions): Promise<Probed> {
    const first = await probe(path, options);
    if (!first.ok || first.facts.base === first.facts.executable) return first;
    return this.ask(first.facts.base, options);
  }
}

/** Whether an answer holds as long as the file is the same. */
function isLasting(probed: Probed): boolean {
  return probed.ok ? probed.facts.has_venv && probed.facts.pips.length > 0 : probed.isFinal === true;
}

/** A shim stays as it is when the interpreter that it stood for is replaced or removed. */
async function isBaseSame({ base }: Asked): Promise<boolean> {
  return base === undefined || (base.mark !== undefined && (await markOfFile(base.path)) === base.mark);
}

async function probe(path: string, { signal }: OperationOptions): Promise<Probed> {
  const script = assetPath('python/interpreters/probe.py'); // its absence is no fault of the interpreter
  let result;
  try {
    result = await run(path, ['-I', '-B', '-X', 'utf8', script], {
      // The `python` of Python's install manager (Windows) would fetch a Python where it has none.
      env: pythonEnvironment({ PYTHON_MANAGER_AUTOMATIC_INSTALL: 'false' }),
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
    const reason = `Python ${facts.version} is too old: 3.8 or later is needed`;
    return { ok: false, isFinal: true, path, reason };
  }
  return usable(facts as PythonFacts);
}

const markers = new WeakMap<Interpreter, PythonFacts['markers']>();

/** Values of the environment markers of an interpreter that was asked; undefined for a description of somebody else's. */
export function markersOf(interpreter: Interpreter): PythonFacts['markers'] | undefined {
  return markers.get(interpreter);
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
  markers.set(interpreter, facts.markers);
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
