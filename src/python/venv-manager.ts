import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { checkObject, checkTexts } from '../arguments.js';
import { SafeEmitter } from '../emitter.js';
import { Late } from '../late.js';
import { showAs } from '../readable.js';
import type { Durability } from '../store/atomic-file.js';
import type { SharedWheels, VenvContext, VenvEngine } from './engine.js';
import type { InterpreterFinder } from './interpreters/finder.js';
import type {
  InstallFrom,
  InstallReport,
  Interpreter,
  InterpreterNeed,
  Venv,
  VenvManagerEvents,
} from './types.js';
import { doors, type VenvManagerOptions } from './options.js';
import type { WheelPruneReport } from './wheels/wheel-store.js';

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
  readonly #finder: Late<InterpreterFinder>;
  readonly #engine: Late<VenvEngine>;
  readonly #wheelStore: SharedWheels | undefined;
  /** Where what was found out about interpreters is kept; the first store that is deployed into has it, unless the options name one. */
  #memory: string | undefined;

  constructor(options: VenvManagerOptions = {}) {
    super();
    doors().venvManager.check(options);
    const { python, timeoutMs = 600_000 } = options;
    this.installer = options.installer ?? 'pip';
    const given = typeof python === 'string' ? [python] : python;
    this.given = given;
    this.#mayAdopt = options.wheelStore === undefined;
    if (typeof options.wheelStore === 'string') {
      this.#wheelStore = { root: path.resolve(options.wheelStore), durability: 'none' };
    }
    this.#memory = this.#wheelStore?.root;
    const context: VenvContext = {
      ...{ installer: this.installer, timeoutMs, wheelStore: this.#wheelStore },
      onOutput: (event) => this.emit('output', event),
      onProgress: (event) => this.emit('progress', event),
    };
    const memory = () => this.#memory && path.join(this.#memory, 'interpreters.json');
    this.#finder = new Late(async () => {
      const { InterpreterFinder } = await import('./interpreters/finder.js');
      return new InterpreterFinder({ given, memory });
    });
    this.#engine = new Late(async () => {
      const { VenvEngine } = await import('./engine.js');
      return new VenvEngine(context, await this.#finder.get());
    });
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
    return (await this.#finder.get()).interpreters(options);
  }

  /**
   * The same, but each interpreter is probed only when its turn comes: a caller that stops early does not start the
   * others. Interpreters that were probed and cannot be used are collected.
   * @internal
   */
  async *interpretersInTurn(
    options: { onUnusable?: (python: { path: string; reason: string }) => void } & OperationOptions = {},
  ): AsyncGenerator<Interpreter, void, undefined> {
    yield* (await this.#finder.get()).interpretersInTurn(options);
  }

  /**
   * The first interpreter that accepts a wheel of every project and has the version asked for.
   *
   * @throws RunnerError `invalid_params`, `incompatible_python` naming each wheel that fits none, the tags it wants,
   * and for each interpreter looked at the tags it has
   */
  async select(need: InterpreterNeed, options: OperationOptions = {}): Promise<Interpreter> {
    checkObject('venvs.select(need)', need);
    return (await this.#finder.get()).select(need, options);
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
    checkTexts('venvs.create(dir, { interpreter })', { dir });
    checkObject('venvs.create(dir, { interpreter })', options);
    checkObject('venvs.create(dir, { interpreter })', options.interpreter, ['path'], 'interpreter');
    return (await this.#engine.get()).create(dir, options);
  }

  /**
   * The environment that stands in `dir`.
   *
   * @throws RunnerError `invalid_params`, `not_found` when there is none, `incompatible_python` when its base
   * interpreter is gone
   */
  async load(dir: string, options: OperationOptions = {}): Promise<Venv> {
    checkTexts('venvs.load(dir)', { dir });
    return (await this.#engine.get()).load(dir, options);
  }

  /**
   * Installs the requirements from the wheels of one folder. No requirement at all is legal. On failure the
   * environment is as it was before.
   *
   * @throws RunnerError `invalid_params`, `incompatible_python` (2003) or `wheels_missing` (2004) with pip's own words,
   * `install_failed` (2005) for anything else that goes wrong, `timeout`, `aborted`
   */
  async install(venv: Venv, options: InstallFrom & OperationOptions): Promise<InstallReport> {
    checkObject('venvs.install(venv, { wheels, requirements })', venv, ['dir'], 'venv');
    checkObject('venvs.install(venv, { wheels, requirements })', options, ['wheels', 'requirements']);
    return (await this.#engine.get()).install(venv, options);
  }

  /**
   * Compares every installed file with the hash its RECORD gives.
   *
   * @throws RunnerError `install_failed` with the differing files in `details.issues`
   */
  async verify(venv: Venv, options: OperationOptions = {}): Promise<void> {
    await (await this.#engine.get()).verify(venv, options);
  }

  /** Makes the environment name `finalDir` as its place, to which the caller will move it. Returns it as it is now. */
  async relocate(venv: Venv, finalDir: string, options: OperationOptions = {}): Promise<Venv> {
    return (await this.#engine.get()).relocate(venv, finalDir, options);
  }

  /** Puts right an environment that was moved: its scripts name the place where it stands again. */
  async repair(venv: Venv, options: OperationOptions = {}): Promise<void> {
    await (await this.#engine.get()).repair(venv, options);
  }

  /**
   * Compiles what is installed to byte code, which the first import would otherwise do file by file. Sources that cannot
   * be compiled, and tests, are left as they are. Not for an environment of a deployed version: a deployer compiles it while
   * it installs, and its `verify()` names what is added afterwards.
   *
   * @throws RunnerError `timeout`, `aborted`
   */
  async compile(venv: Venv, options: OperationOptions = {}): Promise<void> {
    await (await this.#engine.get()).compile(venv, options);
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
    return (await this.#engine.get()).pruneWheels(options);
  }
}
