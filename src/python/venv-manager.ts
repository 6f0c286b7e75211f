import path from 'node:path';
import { settleOrAbort, throwIfAborted, type OperationOptions } from '../abort.js';
import { checkObject, checkStrings } from '../arguments.js';
import { useAssets } from '../assets.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import { baseInterpreter } from '../process/base-interpreter.js';
import { showAs } from '../readable.js';
import type { Durability } from '../store/atomic-file.js';
import type { InterpreterFinder } from './interpreters/finder.js';
import { doors, type VenvManagerOptions } from './options.js';
import type { Installation, Installed } from './pip/install-pip.js';
import { Progress } from './progress.js';
import { TimeLimit } from './time-limit.js';
import type {
  InstallFrom,
  InstallReport,
  Interpreter,
  InterpreterNeed,
  Venv,
  VenvManagerEvents,
} from './types.js';
import type { SharedWheels, WheelPruneReport, WheelStore } from './wheels/wheel-store.js';

export type { VenvManagerOptions } from './options.js';

/**
 * Finds interpreters, makes virtual environments and installs wheels into them, without a network and without a pip
 * in the environment.
 */
export class VenvManager extends SafeEmitter<VenvManagerEvents> {
  /** As given in the options. */
  readonly installer: 'pip' | 'link';
  /**
   * Interpreters that the options name.
   * @internal
   */
  readonly given: readonly string[] | undefined;
  readonly #mayAdopt: boolean;
  readonly #timeoutMs: number;
  readonly #ownFiles: readonly string[];
  readonly #wheelStore: SharedWheels | undefined;
  /** By folder and durability: deployers of different stores may share this manager. */
  readonly #stores = new Map<string, WheelStore>();
  #finder: InterpreterFinder | undefined;
  /** Where what was found out about interpreters is kept; the first store that is deployed into has it, unless the options name one. */
  #memory: string | undefined;

  constructor(options: VenvManagerOptions = {}) {
    super();
    doors().venvManager.check(options);
    useAssets(options.assets);
    const { python, timeoutMs = 600_000 } = options;
    this.installer = options.installer ?? 'pip';
    this.#timeoutMs = timeoutMs;
    this.#ownFiles = [...(options.ownFiles ?? [])];
    const given = typeof python === 'string' ? [python] : python;
    this.given = given;
    this.#mayAdopt = options.wheelStore === undefined;
    if (typeof options.wheelStore === 'string') {
      this.#wheelStore = { root: path.resolve(options.wheelStore), durability: 'none' };
    }
    this.#memory = this.#wheelStore?.root;
    showAs(this, 'VenvManager', () => {
      const python = given ?? 'as found on this machine';
      return { installer: this.installer, wheelStore: this.#wheelStore?.root, python, timeoutMs };
    });
  }

  /**
   * The unpacked wheels that environments of one store share: those that the options name, else those in `folder`;
   * undefined where the options want none. Each deployer asks for its own store, and hands the answer to each call: two
   * of them may share this manager.
   * @internal
   */
  sharedWheels(folder: string, durability: Durability): SharedWheels | undefined {
    const root = this.#wheelStore?.root ?? (this.#mayAdopt ? path.resolve(folder) : undefined);
    this.#memory ??= root;
    return root === undefined ? undefined : { root, durability };
  }

  /** Pythons 3.8 or later on this machine, in the order in which they are preferred. Each is asked once. */
  async interpreters(options: OperationOptions = {}): Promise<Interpreter[]> {
    doors().look.check(options);
    return (await this.#interpreterFinder()).interpreters(options);
  }

  /**
   * The same, but each interpreter is probed only when its turn comes: a caller that stops early does not start the
   * others. Interpreters that were probed and cannot be used are collected.
   * @internal
   */
  async *interpretersInTurn(
    options: { onUnusable?: (python: { path: string; reason: string }) => void } & OperationOptions = {},
  ): AsyncGenerator<Interpreter, void, undefined> {
    yield* (await this.#interpreterFinder()).interpretersInTurn(options);
  }

  /**
   * The first interpreter that accepts a wheel of every project and has the version asked for.
   *
   * @throws RunnerError `invalid_params`, `incompatible_python` naming each wheel that fits none, the tags it wants,
   * and for each interpreter looked at the tags it has
   */
  async select(need: InterpreterNeed, options: OperationOptions = {}): Promise<Interpreter> {
    checkObject('venvs.select(need)', need);
    return (await this.#interpreterFinder()).select(need, options);
  }

  /**
   * Makes an environment in `dir`, which must be absent or empty. It may be moved: its scripts find the interpreter beside
   * them. With `finalDir` what is compiled in it names that place.
   *
   * @throws RunnerError `install_failed` with the remedy, `store_failed` (2005) for what the system refuses, `invalid_params`
   * when `dir` is not empty, `timeout`, `aborted`
   */
  async create(
    dir: string,
    options: { interpreter: Interpreter; finalDir?: string } & OperationOptions,
  ): Promise<Venv> {
    checkStrings('venvs.create(dir, { interpreter })', { dir });
    checkObject('venvs.create(dir, { interpreter })', options);
    checkObject('venvs.create(dir, { interpreter })', options.interpreter, ['path'], 'interpreter');
    const { makeEnvironment } = await import('./making.js');
    const { interpreter, finalDir, signal } = options;
    return makeEnvironment(dir, {
      interpreter,
      facts: await (await this.#interpreterFinder()).facts.get(interpreter, { signal }),
      finalDir,
      signal,
      memory: this.#memory && path.join(this.#memory, 'environments.json'),
      timeoutMs: this.#timeoutMs,
      onLine: this.#outputOf(path.resolve(dir)),
    });
  }

  /**
   * The environment that stands in `dir`.
   *
   * @throws RunnerError `invalid_params`, `not_found` when there is none, `incompatible_python` when its base
   * interpreter is gone
   */
  async load(dir: string, options: OperationOptions = {}): Promise<Venv> {
    checkStrings('venvs.load(dir)', { dir });
    const { describeEnvironment, pythonIn, readPyvenvCfg } = await import('./making.js');
    const home = (await readPyvenvCfg(dir))?.get('home');
    if (home === undefined) {
      throw new RunnerError('not_found', `${dir} is no virtual environment: it has no pyvenv.cfg`, {
        details: { path: dir },
      });
    }
    // Started in the environment it would run what the packages there hook into the start of an interpreter.
    const python = pythonIn(path.resolve(dir));
    const base = process.platform === 'win32' ? python : baseInterpreter(python).command;
    const probed = await (await this.#interpreterFinder()).facts.ask(base, options);
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
   * @throws RunnerError `invalid_params`, `incompatible_python` (2003) or `wheels_missing` (2004) with pip's own words,
   * `store_failed` (2005) for what the system refuses, `install_failed` (2005) for anything else that goes wrong, `timeout`,
   * `aborted`
   */
  async install(venv: Venv, options: InstallFrom & OperationOptions): Promise<InstallReport> {
    checkObject('venvs.install(venv, { wheels, requirements })', venv, ['dir'], 'venv');
    checkObject('venvs.install(venv, { wheels, requirements })', options, ['wheels', 'requirements']);
    throwIfAborted(options.signal, 'installation');
    const timeoutMs = this.#timeoutMs;
    const limit = new TimeLimit(timeoutMs, options.signal);
    try {
      return await this.#install(venv, { ...options, signal: limit.signal });
    } catch (error) {
      const { asInstallError } = await import('./making.js');
      if (!limit.hasPassed) throw asInstallError(error, `install into ${venv.dir}`);
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
    } finally {
      limit[Symbol.dispose]();
    }
  }

  /**
   * Compares every installed file with the hash its RECORD gives.
   *
   * @throws RunnerError `install_failed` with the differing files in `details.issues`
   */
  async verify(venv: Venv, options: OperationOptions = {}): Promise<void> {
    await (await import('./making.js')).verifyEnvironment(venv, options);
  }

  /**
   * The environment, to be moved to `finalDir`: nothing in it changes.
   *
   * @deprecated an environment names no place: it stays for one minor version
   */
  relocate(venv: Venv, finalDir: string, options: OperationOptions = {}): Promise<Venv> {
    const to = path.resolve(finalDir);
    const { finalDir: _, ...rest } = venv;
    const moved = to === venv.dir ? rest : { ...rest, finalDir: to };
    return settleOrAbort(options.signal, Promise.resolve(moved));
  }

  /**
   * Does nothing.
   *
   * @deprecated an environment that was moved needs no repair: it stays for one minor version
   */
  repair(_venv: Venv, options: OperationOptions = {}): Promise<void> {
    return settleOrAbort(options.signal, Promise.resolve());
  }

  /**
   * Compiles what is installed to byte code, which the first import would otherwise do file by file. Sources that cannot
   * be compiled, and tests, are left as they are. Not for an environment of a deployed version: a deployer compiles it while
   * it installs, and its `verify()` names what is added afterwards.
   *
   * @throws RunnerError `timeout`, `aborted`
   */
  async compile(venv: Venv, { signal }: OperationOptions = {}): Promise<void> {
    const { compileSources } = await import('./making.js');
    const at = venv.finalDir ?? venv.dir;
    await compileSources({
      python: baseInterpreter(venv.python).command,
      root: venv.sitePackages,
      shownRoot: path.join(at, path.relative(venv.dir, venv.sitePackages)),
      limitMs: this.#timeoutMs,
      onLine: this.#outputOf(venv.dir),
      signal,
    });
  }

  /**
   * Removes unpacked wheels that no environment uses. Hard links tell by themselves; environments on file systems
   * that clone or copy must be named to be heeded.
   *
   * `options.environments`: folders of all environments made with this store
   */
  pruneWheels(options?: { environments?: readonly string[] } & OperationOptions): Promise<WheelPruneReport>;
  /** @internal */
  pruneWheels(
    options: { environments?: readonly string[] } & OperationOptions = {},
  ): Promise<WheelPruneReport> {
    return this.pruneSharedWheels(options);
  }

  /**
   * The same for the wheels of one store.
   * @internal
   */
  async pruneSharedWheels(
    options: { environments?: readonly string[] } & Pick<InstallFrom, 'shared'> & OperationOptions,
  ): Promise<WheelPruneReport> {
    const { usesWheel } = await import('./making.js');
    const { environments = [], signal, shared } = options;
    return (
      (await (
        await this.#storeOf(shared)
      )?.prune({
        signal,
        isUsed: (entry) => usesWheel(environments, entry),
      })) ?? {
        removed: [],
        kept: 0,
      }
    );
  }

  async #interpreterFinder(): Promise<InterpreterFinder> {
    const { InterpreterFinder } = await import('./interpreters/finder.js');
    const memory = () => this.#memory && path.join(this.#memory, 'interpreters.json');
    return (this.#finder ??= new InterpreterFinder({ given: this.given, memory }));
  }

  async #install(venv: Venv, options: InstallFrom & OperationOptions): Promise<InstallReport> {
    const { signal } = options;
    const startedAt = performance.now();
    const making = await import('./making.js');
    const requirements = await making.readRequirements(options.requirements);
    const wheelsFolder = path.resolve(options.wheels);
    const progress = new Progress((event) => this.emit('progress', { venv: venv.dir, ...event }));
    if (requirements.requirements.length === 0) {
      progress.end();
      return {
        installer: this.installer,
        installed: [],
        warnings: [],
        durationMs: performance.now() - startedAt,
      };
    }
    const wheels = await making.listWheels(wheelsFolder);
    if (wheels.length === 0)
      throw noWheels(
        wheelsFolder,
        requirements.requirements.map(({ text }) => text),
      );
    const facts = await (await this.#interpreterFinder()).facts.get(venv.interpreter, { signal });
    const before = await making.snapshot(venv);
    try {
      const installation: Installation = {
        venv,
        facts,
        wheelsFolder,
        wheels,
        requirements,
        limits: options.limits,
        hashes: options.hashes,
        signal,
        timeoutMs: this.#timeoutMs,
        ownFiles: [...this.#ownFiles, ...(options.ownFiles ?? [])],
        onLine: this.#outputOf(venv.dir),
        onProgress: progress.at,
      };
      const installer = await this.#installerFor(installation);
      const { installed, warnings } = await this.#installBy(installer, installation, options.shared);
      for (const warning of warnings) this.#outputOf(venv.dir)(`WARNING: ${warning}`, 'stderr');
      progress.end();
      return { installer, installed, warnings, durationMs: performance.now() - startedAt };
    } catch (error) {
      await before.restore();
      throw error;
    }
  }

  /** `link` where it was asked for and can do all that pip does, and where there is no pip at all. */
  async #installerFor({ venv, facts, wheels, wheelsFolder }: Installation): Promise<'pip' | 'link'> {
    const { choosePip, distInfos } = await import('./making.js');
    const hasPip = choosePip(facts, wheelsFolder, wheels) !== undefined;
    if (this.installer !== 'link' && hasPip) return 'pip';
    // What is installed already must be uninstalled first: pip's work. And Windows starts scripts by programs that pip has.
    const isFresh = (await distInfos(venv.sitePackages)).length === 0;
    return isFresh && (process.platform !== 'win32' || hasPip) ? 'link' : 'pip';
  }

  async #installBy(
    installer: 'pip' | 'link',
    installation: Installation,
    shared: SharedWheels | undefined,
  ): Promise<Installed> {
    const { installByLink, installFromWheels, installWithPip } = await import('./making.js');
    if (installer === 'pip') return installWithPip(installation);
    const store = await this.#storeOf(shared);
    return store ? installByLink(installation, store) : installFromWheels(installation);
  }

  #outputOf(venv: string): (line: string, stream: 'stdout' | 'stderr') => void {
    return (line, stream) => this.emit('output', { line, stream, venv });
  }

  async #storeOf(shared = this.#wheelStore): Promise<WheelStore | undefined> {
    if (!shared) return undefined;
    const { WheelStore } = await import('./making.js');
    const key = `${shared.durability} ${shared.root}`;
    const store = this.#stores.get(key) ?? new WheelStore(shared.root);
    store.durability = shared.durability;
    this.#stores.set(key, store);
    return store;
  }
}

function noWheels(folder: string, lines: readonly string[]): RunnerError {
  return new RunnerError(
    'wheels_missing',
    `${lines.slice(0, 3).join(', ')} is required, and ${folder} has no wheel in it. Add the wheels to the package`,
    { details: { path: folder, requirements: [...lines] } },
  );
}
