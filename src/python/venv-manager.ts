import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { throwIfAborted } from '../abort.js';
import { assetPath } from '../assets.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import { pythonEnvironment } from '../process/environment.js';
import { run } from '../process/run.js';
import { findCandidates, interpreterIn, placesLookedAt } from './discovery.js';
import { pythonIn } from './environment-paths.js';
import { describeEnvironment, makeEnvironment, readPyvenvCfg } from './environment.js';
import { FactsCache, type Probed } from './facts.js';
import { installByLink, installFromWheels } from './install-link.js';
import { installWithPip, type Installation } from './install-pip.js';
import { readRequirements } from './requirements-file.js';
import { choosePip, listWheels } from './pip.js';
import { applyRewrites, findMove, planRewrites } from './relocate.js';
import { Progress } from './progress.js';
import { distInfos } from './record.js';
import type { Durability } from '../store/atomic-file.js';
import { noneFits, refuse, type Refusal } from './select.js';
import { snapshot } from './snapshot.js';
import type { InstallReport, Interpreter, InterpreterNeed, Venv, VenvManagerEvents } from './types.js';
import { verifyEnvironment } from './verify.js';
import { TimeLimit } from './time-limit.js';
import { usesWheel } from './wheel-use.js';
import { WheelStore, type WheelPruneReport } from './wheel-store.js';

/** Options of {@link VenvManager}. */
export interface VenvManagerOptions {
  /**
   * Interpreters to use: paths, folders of installations or command names, best first. Nothing else is looked at then.
   * @defaultValue those found on `PATH`, of pyenv, and by the `py` launcher on Windows
   */
  python?: string | string[];
  /**
   * `link` shares unpacked wheels between environments where the file system lets it; `pip` gives each its own copy.
   * @defaultValue 'pip'
   */
  installer?: 'pip' | 'link';
  /**
   * Folder of unpacked wheels that environments share; `false` for none: each environment then has its own.
   * @defaultValue that of the store it first deploys into, `<root>/algorithms/.wheels`; none without a `Deployer`
   */
  wheelStore?: string | false;
  /** Longest time for one creation or installation, in milliseconds. @defaultValue 600_000 */
  timeoutMs?: number;
}

/**
 * Finds interpreters, makes virtual environments and installs wheels into them, without a network and without a pip
 * in the environment.
 */
export class VenvManager extends SafeEmitter<VenvManagerEvents> {
  /** As given in the options. */
  readonly installer: 'pip' | 'link';
  readonly #given: readonly string[] | undefined;
  readonly #timeoutMs: number;
  readonly #facts: FactsCache;
  readonly #mayAdopt: boolean;
  #wheelStore: WheelStore | undefined;

  constructor(options: VenvManagerOptions = {}) {
    super();
    const { python, timeoutMs = 600_000 } = options;
    this.installer = options.installer ?? 'pip';
    this.#given = typeof python === 'string' ? [python] : python;
    if (!(timeoutMs > 0))
      throw new RunnerError('invalid_params', `timeoutMs must be positive, not ${timeoutMs}`);
    this.#timeoutMs = timeoutMs;
    this.#facts = new FactsCache();
    this.#mayAdopt = options.wheelStore === undefined;
    if (typeof options.wheelStore === 'string') this.#use(options.wheelStore);
    showAs(this, 'VenvManager', () => {
      const given = this.#given ?? 'as found on this machine';
      return { installer: this.installer, wheelStore: this.wheelStore?.root, python: given, timeoutMs };
    });
  }

  /**
   * Unpacked wheels that environments share; undefined when there is none.
   * @internal
   */
  get wheelStore(): WheelStore | undefined {
    return this.#wheelStore;
  }

  /**
   * Names the folder of unpacked wheels, where the options left that open, and what is promised of it.
   * @internal
   */
  useWheelStore(folder: string, durability: Durability): void {
    if (this.#mayAdopt && !this.#wheelStore) this.#use(folder);
    if (this.#wheelStore && durability === 'full') this.#wheelStore.durability = durability;
  }

  #use(folder: string): void {
    this.#wheelStore = new WheelStore(folder);
    this.#facts.keepIn(this.#wheelStore.interpreters);
  }

  /** Pythons 3.8 or later on this machine, in the order in which they are preferred. Each is asked once. */
  async interpreters(options: OperationOptions = {}): Promise<Interpreter[]> {
    const found: Interpreter[] = [];
    for await (const probed of this.#probeAll(await this.#candidates(options), options)) {
      if (probed.ok) found.push(probed.interpreter);
    }
    return found;
  }

  /**
   * The same, each asked only when its turn comes: whoever stops early leaves the others alone.
   * @internal
   */
  async *interpretersInTurn(options: OperationOptions = {}): AsyncGenerator<Interpreter, void, undefined> {
    for await (const probed of this.#probeAll(await this.#candidates(options), options, 'in turn')) {
      if (probed.ok) yield probed.interpreter;
    }
  }

  /**
   * Where interpreters are looked for: as given in the options, or folders of this machine.
   * @internal
   */
  placesLookedAt(): string[] {
    return placesLookedAt({ given: this.#given });
  }

  /**
   * The first interpreter that accepts a wheel of every project and has the version asked for.
   *
   * @throws RunnerError `incompatible_python` naming each wheel that fits none, the tags it wants, and for each
   * interpreter looked at the tags it has
   */
  async select(need: InterpreterNeed, options: OperationOptions = {}): Promise<Interpreter> {
    const judged = need.judged === undefined ? undefined : await this.#facts.ask(need.judged, options);
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
    throw noneFits(need, refusals, this.placesLookedAt());
  }

  /**
   * Makes an environment in `dir`, which must be absent or empty. With `finalDir` its scripts name that place, to
   * which the caller will move it; its interpreter runs in both.
   *
   * @throws RunnerError `install_failed` with the remedy, `invalid_params` when `dir` is not empty, `timeout`, `aborted`
   */
  async create(
    dir: string,
    options: { interpreter: Interpreter; finalDir?: string } & OperationOptions,
  ): Promise<Venv> {
    const { interpreter, finalDir, signal } = options;
    return makeEnvironment(dir, {
      interpreter,
      facts: await this.#facts.get(interpreter, { signal }),
      finalDir,
      signal,
      timeoutMs: this.#timeoutMs,
      onLine: this.#outputOf(path.resolve(dir)),
    });
  }

  /**
   * The environment that stands in `dir`.
   *
   * @throws RunnerError `not_found` when there is none, `incompatible_python` when its base interpreter is gone
   */
  async load(dir: string, options: OperationOptions = {}): Promise<Venv> {
    const home = (await readPyvenvCfg(dir))?.get('home');
    if (home === undefined) {
      throw new RunnerError('not_found', `${dir} is no virtual environment: it has no pyvenv.cfg`, {
        details: { path: dir },
      });
    }
    const probed = await this.#facts.ask(pythonIn(path.resolve(dir)), options);
    if (!probed.ok) {
      throw new RunnerError(
        'incompatible_python',
        `The interpreter of ${dir} cannot be used: ${probed.reason}. It was made from the Python in ${home}: install that again, or deploy anew`,
        { details: { path: dir } },
      );
    }
    return describeEnvironment(dir, probed.interpreter, probed.facts);
  }

  /**
   * Installs the requirements from the wheels of one folder. No requirement at all is legal. On failure the
   * environment is as it was before.
   *
   * `options.wheels` is the folder of wheels,
   * `options.requirements` the requirements file.
   * @throws RunnerError `incompatible_python` (2003) or `wheels_missing` (2004) with pip's own words, `install_failed`
   * (2005) for anything else that goes wrong, `timeout`, `aborted`
   */
  async install(
    venv: Venv,
    options: { wheels: string; requirements: string } & OperationOptions,
  ): Promise<InstallReport> {
    throwIfAborted(options.signal, 'installation');
    using limit = new TimeLimit(this.#timeoutMs, options.signal);
    try {
      return await this.#install(venv, { ...options, signal: limit.signal });
    } catch (error) {
      if (!limit.hasPassed) throw error;
      throw new RunnerError(
        'timeout',
        `The installation into ${venv.dir} did not end within ${this.#timeoutMs} ms, and was undone. Give VenvManager a ` +
          'longer timeoutMs if the wheels are large or the disk is slow',
        {
          cause: error,
          details: {
            ...{ timeoutMs: this.#timeoutMs, path: venv.dir },
            output: RunnerError.is(error) ? error.details.output : undefined,
          },
        },
      );
    }
  }

  /**
   * Compares every installed file with the hash its RECORD gives.
   *
   * @throws RunnerError `install_failed` with the differing files in `details.issues`
   */
  async verify(venv: Venv, options: OperationOptions = {}): Promise<void> {
    await verifyEnvironment(venv, options);
  }

  /** Makes the environment name `finalDir` as its place, to which the caller will move it. Returns it as it is now. */
  async relocate(venv: Venv, finalDir: string, options: OperationOptions = {}): Promise<Venv> {
    throwIfAborted(options.signal, 'relocation');
    const to = path.resolve(finalDir);
    await applyRewrites(await planRewrites(venv, { from: venv.finalDir ?? venv.dir, to }));
    const { finalDir: _, ...rest } = venv;
    return to === venv.dir ? rest : { ...rest, finalDir: to };
  }

  /** Puts right an environment that was moved: its scripts name the place where it stands again. */
  async repair(venv: Venv, options: OperationOptions = {}): Promise<void> {
    throwIfAborted(options.signal, 'repair');
    const found = await findMove(venv.dir);
    if (found) await applyRewrites(await planRewrites(venv, found.move));
  }

  /**
   * Compiles what is installed to bytecode, which the first import would otherwise do file by file. Meant for after
   * the environment is in use: it runs at the lowest priority, nothing depends on it, and whatever cannot be compiled is
   * left as it is.
   *
   * @throws RunnerError `timeout`, `aborted`
   */
  async compile(venv: Venv, options: OperationOptions = {}): Promise<void> {
    const at = venv.finalDir ?? venv.dir;
    const shown = path.join(at, path.relative(venv.dir, venv.sitePackages));
    await run(venv.python, ['-I', '-S', '-X', 'utf8', assetPath('python/compile_tree.py'), shown], {
      cwd: venv.sitePackages,
      env: pythonEnvironment(),
      timeoutMs: this.#timeoutMs,
      signal: options.signal,
      onLine: this.#outputOf(venv.dir),
    });
  }

  /**
   * Removes unpacked wheels that no environment uses. Hard links tell by themselves; environments on file systems
   * that clone or copy must be named to be heeded.
   *
   * `options.environments`: folders of all environments made with this store
   */
  async pruneWheels(
    options: { environments?: readonly string[] } & OperationOptions = {},
  ): Promise<WheelPruneReport> {
    const { environments = [], signal } = options;
    return (
      (await this.wheelStore?.prune({ signal, isUsed: (entry) => usesWheel(environments, entry) })) ?? {
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
      return { installer: this.installer, installed: [], durationMs: performance.now() - startedAt };
    }
    const wheels = await listWheels(wheelsFolder);
    if (wheels.length === 0) throw noWheels(wheelsFolder, requirements.lines);
    const facts = await this.#facts.get(venv.interpreter, { signal });
    const before = await snapshot(venv);
    try {
      const installation: Installation = {
        venv,
        facts,
        wheelsFolder,
        wheels,
        requirements,
        signal,
        timeoutMs: this.#timeoutMs,
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
    if (this.installer !== 'link' && hasPip) return 'pip';
    // Windows needs program files for scripts, and what is installed already must be uninstalled first: pip's work.
    const isFresh = (await distInfos(venv.sitePackages)).length === 0;
    return isFresh && process.platform !== 'win32' ? 'link' : 'pip';
  }

  #installBy(installer: 'pip' | 'link', installation: Installation): Promise<InstallReport['installed']> {
    if (installer === 'pip') return installWithPip(installation);
    return this.#wheelStore ? installByLink(installation, this.#wheelStore) : installFromWheels(installation);
  }

  #candidates(options: OperationOptions): Promise<string[]> {
    return findCandidates({ given: this.#given, signal: options.signal });
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
        const answer = this.#facts.ask(ahead, options);
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
    return (line, stream) => this.emit('output', { line, stream, venv });
  }

  #progressOf(venv: string): Progress {
    return new Progress((event) => this.emit('progress', { venv, ...event }));
  }
}

function noWheels(folder: string, lines: readonly string[]): RunnerError {
  return new RunnerError(
    'wheels_missing',
    `${lines.slice(0, 3).join(', ')} is required, and ${folder} has no wheel in it. Add the wheels to the package`,
    { details: { path: folder, requirements: [...lines] } },
  );
}
