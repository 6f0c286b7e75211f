import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { throwIfAborted } from '../abort.js';
import { assetPath } from '../assets.js';
import { RunnerError } from '../errors.js';
import { pythonEnvironment } from '../process/environment.js';
import { run } from '../process/run.js';
import type { Durability } from '../store/atomic-file.js';
import { findCandidates, interpreterIn, placesLookedAt } from './interpreters/discovery.js';
import { pythonIn } from './environments/environment-paths.js';
import { describeEnvironment, makeEnvironment, readPyvenvCfg } from './environments/environment.js';
import { FactsCache, type Probed, type UnusablePython } from './interpreters/facts.js';
import { installByLink, installFromWheels } from './wheels/install-link.js';
import { installWithPip, type Installation } from './pip/install-pip.js';
import { readRequirements } from './pip/requirements-file.js';
import { choosePip, listWheels } from './pip/pip.js';
import { applyRewrites, findMove, planRewrites } from './environments/relocate.js';
import { Progress } from './progress.js';
import { distInfos } from './environments/record.js';
import { noneFits, refuse, type Refusal } from './interpreters/select.js';
import { snapshot } from './environments/snapshot.js';
import { TimeLimit } from './time-limit.js';
import type { InstallReport, Interpreter, InterpreterNeed, Venv, VenvManagerEvents } from './types.js';
import { verifyEnvironment } from './environments/verify.js';
import { usesWheel } from './wheels/wheel-use.js';
import { WheelStore, type WheelPruneReport } from './wheels/wheel-store.js';

/** A folder of unpacked wheels, and whether each is on the disk before it is used. */
export interface SharedWheels {
  readonly root: string;
  durability: Durability;
}

/** What an engine is made from: the options of its manager, defaults filled in. */
export interface VenvContext {
  given: readonly string[] | undefined;
  installer: 'pip' | 'link';
  timeoutMs: number;
  /** The folder of unpacked wheels, as soon as there is one. */
  wheelStore: () => SharedWheels | undefined;
  onOutput: (...event: VenvManagerEvents['output']) => void;
  onProgress: (...event: VenvManagerEvents['progress']) => void;
}

/** What a manager works with, loaded when it is first asked. */
export class VenvEngine {
  readonly #context: VenvContext;
  readonly #facts = new FactsCache();
  #store: WheelStore | undefined;

  constructor(context: VenvContext) {
    this.#context = context;
  }

  async interpreters(options: OperationOptions): Promise<Interpreter[]> {
    const found: Interpreter[] = [];
    for await (const probed of this.#probeAll(await this.#candidates(options), options)) {
      if (probed.ok) found.push(probed.interpreter);
    }
    return found;
  }

  async *interpretersInTurn(
    options: { onUnusable?: (python: UnusablePython) => void } & OperationOptions,
  ): AsyncGenerator<Interpreter, void, undefined> {
    for await (const probed of this.#probeAll(await this.#candidates(options), options, 'in turn')) {
      if (probed.ok) yield probed.interpreter;
      else options.onUnusable?.({ path: probed.path, reason: probed.reason });
    }
  }

  async select(need: InterpreterNeed, options: OperationOptions): Promise<Interpreter> {
    const judged = need.judged === undefined ? undefined : await this.#known().ask(need.judged, options);
    if (judged?.ok && !refuse(judged, { pythonVersion: need.pythonVersion })) return judged.interpreter;
    const candidates = await this.#candidates(options);
    if (need.embedded !== undefined) {
      candidates.unshift((await interpreterIn(need.embedded)) ?? path.resolve(need.embedded));
    }
    const refusals: Refusal[] = [];
    for await (const probed of this.#probeAll(candidates, options, 'in turn')) {
      const refusal = refuse(probed, need);
      if (!refusal && probed.ok) return probed.interpreter;
      if (refusal) refusals.push(refusal);
    }
    throw noneFits(need, refusals, placesLookedAt({ given: this.#context.given }));
  }

  async create(
    dir: string,
    options: { interpreter: Interpreter; finalDir?: string } & OperationOptions,
  ): Promise<Venv> {
    const { interpreter, finalDir, signal } = options;
    return makeEnvironment(dir, {
      interpreter,
      facts: await this.#known().get(interpreter, { signal }),
      finalDir,
      signal,
      timeoutMs: this.#context.timeoutMs,
      onLine: this.#outputOf(path.resolve(dir)),
    });
  }

  async load(dir: string, options: OperationOptions): Promise<Venv> {
    const home = (await readPyvenvCfg(dir))?.get('home');
    if (home === undefined) {
      throw new RunnerError('not_found', `${dir} is no virtual environment: it has no pyvenv.cfg`, {
        details: { path: dir },
      });
    }
    const probed = await this.#known().ask(pythonIn(path.resolve(dir)), options);
    if (!probed.ok) {
      throw new RunnerError(
        'incompatible_python',
        `The interpreter of ${dir} cannot be used: ${probed.reason}. It was made from the Python in ${home}: install that again, or deploy anew`,
        { details: { path: dir } },
      );
    }
    return describeEnvironment(dir, probed.interpreter, probed.facts);
  }

  async install(
    venv: Venv,
    options: { wheels: string; requirements: string } & OperationOptions,
  ): Promise<InstallReport> {
    throwIfAborted(options.signal, 'installation');
    const { timeoutMs } = this.#context;
    using limit = new TimeLimit(timeoutMs, options.signal);
    try {
      return await this.#install(venv, { ...options, signal: limit.signal });
    } catch (error) {
      if (!limit.hasPassed) throw error;
      throw new RunnerError(
        'timeout',
        `The installation into ${venv.dir} did not end within ${timeoutMs} ms, and was undone. Give VenvManager a ` +
          'longer timeoutMs if the wheels are large or the disk is slow',
        {
          cause: error,
          details: {
            ...{ timeoutMs, path: venv.dir },
            output: RunnerError.is(error) ? error.details.output : undefined,
          },
        },
      );
    }
  }

  async verify(venv: Venv, options: OperationOptions): Promise<void> {
    await verifyEnvironment(venv, options);
  }

  async relocate(venv: Venv, finalDir: string, options: OperationOptions): Promise<Venv> {
    throwIfAborted(options.signal, 'relocation');
    const to = path.resolve(finalDir);
    await applyRewrites(await planRewrites(venv, { from: venv.finalDir ?? venv.dir, to }));
    const { finalDir: _, ...rest } = venv;
    return to === venv.dir ? rest : { ...rest, finalDir: to };
  }

  async repair(venv: Venv, options: OperationOptions): Promise<void> {
    throwIfAborted(options.signal, 'repair');
    const found = await findMove(venv.dir);
    if (found) await applyRewrites(await planRewrites(venv, found.move));
  }

  async compile(venv: Venv, options: OperationOptions): Promise<void> {
    const at = venv.finalDir ?? venv.dir;
    const shown = path.join(at, path.relative(venv.dir, venv.sitePackages));
    await run(
      venv.python,
      ['-I', '-S', '-X', 'utf8', assetPath('python/environments/compile_tree.py'), shown],
      {
        cwd: venv.sitePackages,
        env: pythonEnvironment(),
        timeoutMs: this.#context.timeoutMs,
        signal: options.signal,
        onLine: this.#outputOf(venv.dir),
      },
    );
  }

  async pruneWheels(
    options: { environments?: readonly string[] } & OperationOptions,
  ): Promise<WheelPruneReport> {
    const { environments = [], signal } = options;
    return (
      (await this.#wheelStore()?.prune({ signal, isUsed: (entry) => usesWheel(environments, entry) })) ?? {
        removed: [],
        kept: 0,
      }
    );
  }

  async #install(
    venv: Venv,
    options: { wheels: string; requirements: string } & OperationOptions,
  ): Promise<InstallReport> {
    const { signal } = options;
    const startedAt = performance.now();
    const requirements = await readRequirements(options.requirements);
    const wheelsFolder = path.resolve(options.wheels);
    const progress = this.#progressOf(venv.dir);
    if (requirements.lines.length === 0) {
      progress.end();
      return { installer: this.#context.installer, installed: [], durationMs: performance.now() - startedAt };
    }
    const wheels = await listWheels(wheelsFolder);
    if (wheels.length === 0) throw noWheels(wheelsFolder, requirements.lines);
    const facts = await this.#known().get(venv.interpreter, { signal });
    const before = await snapshot(venv);
    try {
      const installation: Installation = {
        venv,
        facts,
        wheelsFolder,
        wheels,
        requirements,
        signal,
        timeoutMs: this.#context.timeoutMs,
        onLine: this.#outputOf(venv.dir),
        onProgress: progress.at,
      };
      const installer = await this.#installerFor(installation);
      const installed = await this.#installBy(installer, installation);
      progress.end();
      return { installer, installed, durationMs: performance.now() - startedAt };
    } catch (error) {
      await before.restore();
      throw error;
    }
  }

  /** `link` where it was asked for and can do all that pip does, and where there is no pip at all. */
  async #installerFor(installation: Installation): Promise<'pip' | 'link'> {
    const { venv, facts, wheels, wheelsFolder } = installation;
    const hasPip = choosePip(facts, wheelsFolder, wheels) !== undefined;
    if (this.#context.installer !== 'link' && hasPip) return 'pip';
    // Windows needs program files for scripts, and what is installed already must be uninstalled first: pip's work.
    const isFresh = (await distInfos(venv.sitePackages)).length === 0;
    return isFresh && process.platform !== 'win32' ? 'link' : 'pip';
  }

  #installBy(installer: 'pip' | 'link', installation: Installation): Promise<InstallReport['installed']> {
    if (installer === 'pip') return installWithPip(installation);
    const store = this.#wheelStore();
    return store ? installByLink(installation, store) : installFromWheels(installation);
  }

  #candidates(options: OperationOptions): Promise<string[]> {
    return findCandidates({ given: this.#context.given, signal: options.signal });
  }

  /**
   * Asks candidates in order, two at a time; an installation that was met before is left out. `in turn` asks the first
   * by itself, for it serves as a rule.
   */
  async *#probeAll(
    candidates: readonly string[],
    options: OperationOptions,
    order: 'at once' | 'in turn' = 'at once',
  ): AsyncGenerator<Probed> {
    const seen = new Set<string>();
    const asked: Promise<Probed>[] = [];
    for (const index of candidates.keys()) {
      const upTo = order === 'in turn' && index === 0 ? 1 : index + 2;
      for (const ahead of candidates.slice(asked.length, upTo)) {
        const answer = this.#known().ask(ahead, options);
        answer.catch(() => undefined); // thrown when its turn comes, if it comes
        asked.push(answer);
      }
      const probed = await asked[index];
      if (!probed) return;
      const key = probed.ok ? `${probed.facts.prefix}\n${probed.facts.version}` : probed.path;
      if (seen.has(key)) continue;
      seen.add(key);
      yield probed;
    }
  }

  #outputOf(venv: string): (line: string, stream: 'stdout' | 'stderr') => void {
    return (line, stream) => this.#context.onOutput({ line, stream, venv });
  }

  #progressOf(venv: string): Progress {
    return new Progress((event) => this.#context.onProgress({ venv, ...event }));
  }

  /** What is known of interpreters; kept in the folder of unpacked wheels, where there is one. */
  #known(): FactsCache {
    this.#wheelStore();
    return this.#facts;
  }

  #wheelStore(): WheelStore | undefined {
    const shared = this.#context.wheelStore();
    if (!shared) return undefined;
    if (!this.#store) {
      this.#store = new WheelStore(shared.root);
      this.#facts.keepIn(this.#store.interpreters);
    }
    this.#store.durability = shared.durability;
    return this.#store;
  }
}

function noWheels(folder: string, lines: readonly string[]): RunnerError {
  return new RunnerError(
    'wheels_missing',
    `${lines.slice(0, 3).join(', ')} is required, and ${folder} has no wheel in it. Add the wheels to the package`,
    { details: { path: folder, requirements: [...lines] } },
  );
}
