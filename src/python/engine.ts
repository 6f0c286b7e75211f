import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import { baseInterpreter } from '../process/base-interpreter.js';
import type { Durability } from '../store/atomic-file.js';
import { pythonIn } from './environments/environment-paths.js';
import { compileSources } from './environments/compile.js';
import { describeEnvironment, makeEnvironment, readPyvenvCfg } from './environments/environment.js';
import type { InterpreterFinder } from './interpreters/finder.js';
import { installByLink, installFromWheels } from './wheels/install-link.js';
import { installWithPip, type Installation, type Installed } from './pip/install-pip.js';
import { readRequirements } from './pip/requirements-file.js';
import { choosePip, listWheels } from './pip/pip.js';
import { applyRewrites, findMove, planRewrites } from './environments/relocate.js';
import { Progress } from './progress.js';
import { distInfos } from './environments/record.js';
import { snapshot } from './environments/snapshot.js';
import { TimeLimit } from './time-limit.js';
import type { InstallFrom, InstallReport, Interpreter, Venv, VenvManagerEvents } from './types.js';
import { verifyEnvironment } from './environments/verify.js';
import { usesWheel } from './wheels/wheel-use.js';
import { WheelStore, type WheelPruneReport } from './wheels/wheel-store.js';

/** A folder of unpacked wheels, and whether each is on the disk before it is used. */
export interface SharedWheels {
  readonly root: string;
  readonly durability: Durability;
}

/** What an engine is made from: the options of its manager, defaults filled in. */
export interface VenvContext {
  installer: 'pip' | 'link';
  timeoutMs: number;
  /** The folder of unpacked wheels that the options name. */
  wheelStore: SharedWheels | undefined;
  onOutput: (...event: VenvManagerEvents['output']) => void;
  onProgress: (...event: VenvManagerEvents['progress']) => void;
}

/** What a manager makes environments with, loaded when it is first asked for one. */
export class VenvEngine {
  readonly #context: VenvContext;
  readonly #finder: InterpreterFinder;
  /** By folder and durability: deployers of different stores may share this engine. */
  readonly #stores = new Map<string, WheelStore>();

  constructor(context: VenvContext, finder: InterpreterFinder) {
    this.#context = context;
    this.#finder = finder;
  }

  async create(
    dir: string,
    options: { interpreter: Interpreter; finalDir?: string } & OperationOptions,
  ): Promise<Venv> {
    const { interpreter, finalDir, signal } = options;
    return makeEnvironment(dir, {
      interpreter,
      facts: await this.#finder.facts.get(interpreter, { signal }),
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
    // Started in the environment it would run what the packages there hook into the start of an interpreter.
    const python = pythonIn(path.resolve(dir));
    const base = process.platform === 'win32' ? python : baseInterpreter(python).command;
    const probed = await this.#finder.facts.ask(base, options);
    if (!probed.ok) {
      throw new RunnerError(
        'incompatible_python',
        `The interpreter of ${dir} cannot be used: ${probed.reason}. It was made from the Python in ${home}: install that again, or deploy anew`,
        { details: { path: dir } },
      );
    }
    return describeEnvironment(dir, probed.interpreter, probed.facts);
  }

  async install(venv: Venv, options: InstallFrom & OperationOptions): Promise<InstallReport> {
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

  async compile(venv: Venv, { signal }: OperationOptions): Promise<void> {
    const at = venv.finalDir ?? venv.dir;
    await compileSources({
      python: baseInterpreter(venv.python).command,
      root: venv.sitePackages,
      shownRoot: path.join(at, path.relative(venv.dir, venv.sitePackages)),
      limitMs: this.#context.timeoutMs,
      onLine: this.#outputOf(venv.dir),
      signal,
    });
  }

  async pruneWheels(
    options: { environments?: readonly string[]; shared?: SharedWheels } & OperationOptions,
  ): Promise<WheelPruneReport> {
    const { environments = [], signal, shared } = options;
    return (
      (await this.#wheelStore(shared)?.prune({
        signal,
        isUsed: (entry) => usesWheel(environments, entry),
      })) ?? {
        removed: [],
        kept: 0,
      }
    );
  }

  async #install(venv: Venv, options: InstallFrom & OperationOptions): Promise<InstallReport> {
    const { signal } = options;
    const startedAt = performance.now();
    const requirements = await readRequirements(options.requirements);
    const wheelsFolder = path.resolve(options.wheels);
    const progress = this.#progressOf(venv.dir);
    if (requirements.requirements.length === 0) {
      progress.end();
      return {
        installer: this.#context.installer,
        installed: [],
        warnings: [],
        durationMs: performance.now() - startedAt,
      };
    }
    const wheels = await listWheels(wheelsFolder);
    if (wheels.length === 0)
      throw noWheels(
        wheelsFolder,
        requirements.requirements.map(({ text }) => text),
      );
    const facts = await this.#finder.facts.get(venv.interpreter, { signal });
    const before = await snapshot(venv);
    try {
      const installation: Installation = {
        venv,
        facts,
        wheelsFolder,
        wheels,
        requirements,
        limits: options.limits,
        signal,
        timeoutMs: this.#context.timeoutMs,
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
  async #installerFor(installation: Installation): Promise<'pip' | 'link'> {
    const { venv, facts, wheels, wheelsFolder } = installation;
    const hasPip = choosePip(facts, wheelsFolder, wheels) !== undefined;
    if (this.#context.installer !== 'link' && hasPip) return 'pip';
    // Windows needs program files for scripts, and what is installed already must be uninstalled first: pip's work.
    const isFresh = (await distInfos(venv.sitePackages)).length === 0;
    return isFresh && process.platform !== 'win32' ? 'link' : 'pip';
  }

  #installBy(
    installer: 'pip' | 'link',
    installation: Installation,
    shared: SharedWheels | undefined,
  ): Promise<Installed> {
    if (installer === 'pip') return installWithPip(installation);
    const store = this.#wheelStore(shared);
    return store ? installByLink(installation, store) : installFromWheels(installation);
  }

  #outputOf(venv: string): (line: string, stream: 'stdout' | 'stderr') => void {
    return (line, stream) => this.#context.onOutput({ line, stream, venv });
  }

  #progressOf(venv: string): Progress {
    return new Progress((event) => this.#context.onProgress({ venv, ...event }));
  }

  #wheelStore(shared = this.#context.wheelStore): WheelStore | undefined {
    if (!shared) return undefined;
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
