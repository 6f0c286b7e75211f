import path from 'node:path';
import type { Readable } from 'node:stream';
import type { OperationOptions } from '../abort.js';
import { checkTexts } from '../arguments.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import { Late } from '../late.js';
import { showAs } from '../readable.js';
import type { Check } from '../package/types.js';
import { VenvManager } from '../python/venv-manager.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import { PackageValidator } from '../validation/package-validator.js';
import type { DeployContext, DeployEngine } from './engine.js';
import { asRunnerError, isPackageFault } from './failure.js';
import { stepsGivenWith } from './given-steps.js';
import { OperationRunner, type OperationTools } from './operation.js';
import { doors, type DeployerOptions, type WatchOptions } from './options.js';
import { resolvePermissions } from './seal/permissions.js';
import { resolveRetention, type ResolvedRetention } from './prune/retention.js';
import type {
  DeployerEvents,
  DeployOptions,
  DiscoveredPackage,
  DriftReport,
  InstallOptions,
  OperationRef,
  ProgressEvent,
  PruneReport,
  PruneRequest,
  RecoverOptions,
  RecoveryReport,
  StageEvent,
  UninstallOptions,
  Watch,
} from './types.js';
import { UNNAMED_UPLOAD } from './install/upload-name.js';
import { PollingLoop } from './discovery/watch.js';

export type { DeployerOptions, WatchOptions } from './options.js';

/**
 * Takes packages into a store and out of it. An operation that is cut off at any point, by an error, an abort, a
 * SIGKILL or a power cut, leaves the state before it or the state after it; {@link Deployer.recover} puts the rest away,
 * by itself before the first operation.
 */
export class Deployer extends SafeEmitter<DeployerEvents> {
  /** Longest time without a byte of an upload, in milliseconds. */
  readonly uploadIdleMs: number;
  readonly #registry: Registry;
  readonly #engine: Late<DeployEngine>;
  readonly #retention: ResolvedRetention;
  readonly #runner: OperationRunner;
  readonly #watches = new Set<PollingLoop>();
  #recovery: Promise<RecoveryReport> | undefined;

  /** @throws RunnerError `invalid_params` without a registry, or for a retention, permissions or limits that cannot be */
  constructor(options: DeployerOptions) {
    super();
    doors().deployer.check(options);
    const { registry, lockTimeoutMs = 30_000, uploadIdleMs = 60_000 } = options;
    this.uploadIdleMs = uploadIdleMs;
    this.#registry = registry;
    this.#runner = new OperationRunner(registry, () => this.#recovered());
    this.#retention = resolveRetention(options.retention);
    const venvs = options.venvs ?? new VenvManager({ installer: 'link' });
    const durability = options.durability ?? registry.durability;
    const context: DeployContext = {
      ...{ registry, venvs, validator: options.validator ?? new PackageValidator({ venvs }) },
      shared: venvs.sharedWheels(registry.layout.wheelStore, durability),
      limits: options.limits,
      ...{ steps: stepsGivenWith(options), settleMs: options.settleMs ?? 2_000 },
      ...{ retention: this.#retention, permissions: resolvePermissions(options.permissions) },
      common: {
        ...{ lockTimeoutMs, uploadIdleMs, durability, compilesBytecode: options.compileBytecode ?? true },
        onCompiled: (event) => void this.emit('compiled', event),
      },
      onDiscovered: (found) => this.emit('discovered', found),
      onInvalid: (file, error) => {
        this.emit('invalid', { id: crypto.randomUUID(), operation: 'install', path: file, error });
      },
    };
    this.#engine = new Late(async () => {
      const { DeployEngine } = await import('./engine.js');
      return new DeployEngine(context);
    });
    showAs(this, 'Deployer', () => ({
      root: registry.layout.root,
      running: this.#runner.running,
      watching: this.#watches.size,
      keep: this.#retention.keep,
      closed: this.#runner.isClosed,
    }));
  }

  /**
   * What stands in `zips/` and `deployed/`, each with its state and, if invalid, why. Runs no Python and writes
   * nothing.
   *
   * @throws RunnerError `store_failed`, `closed`, `aborted`
   */
  async scan(o: OperationOptions = {}): Promise<DiscoveredPackage[]> {
    doors().look.check(o);
    return this.#runner.during(o, 'scan', async (signal) =>
      (await this.#engine.get()).discovery.scan({ signal }),
    );
  }

  /**
   * Looks through `zips/` again and again, until it is closed. With `install` everything new and valid is installed, one
   * after the other; what fails for its own fault is not tried again until the file changes.
   */
  watch(o: WatchOptions = {}): Watch {
    this.#runner.checkOpen('watch');
    doors().watch.check(o);
    const loop = new PollingLoop(o.intervalMs ?? 2_000, (signal) => this.#watchTurn(o, signal));
    this.#watches.add(loop);
    const close = async () => {
      await loop[Symbol.asyncDispose]();
      this.#watches.delete(loop);
    };
    return { close, [Symbol.asyncDispose]: close };
  }

  /**
   * Deploys a package: a zip, or a stream of one, which lands in `zips/` when it has been deployed.
   *
   * @throws RunnerError with the package's own fault (2001 to 2005), `invalid_params`, `already_installed` without
   * `force`, `version_in_use`, `lock_timeout`, `aborted`, `closed`; `install_failed` with the system's error as its cause when
   * the disk is full or fails. Nothing is left in the store then.
   */
  async install(zip: string | Readable, o: InstallOptions = {}): Promise<RegistryEntry> {
    if (!isStream(zip)) checkTexts('deployer.install(zip)', { zip });
    doors().install.check(o);
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'install' };
    const { force = false, operator, fileName = UNNAMED_UPLOAD, nameEncoding, origin } = o;
    const tell = (check: Check) => {
      const { id, operation, name = '', version = '' } = ref;
      this.emit('check', { ...check, id, operation, package: { name, version } });
    };
    const { entry, replaced, warnings } = await this.#operate(ref, { ...o, source: zip }, async (tools) =>
      (await this.#engine.get()).install(zip, {
        ...{ ...tools, force, operator, fileName, nameEncoding, origin, onCheck: tell },
        onInspected: ({ name, version, manifest, checks }) => {
          Object.assign(ref, { name, version });
          tools.onPids(manifest.supported_pids ?? []);
          checks.forEach(tell);
        },
      }),
    );
    this.emit('installed', { ...ref, entry, replaced, warnings });
    if (this.#retention.automatic) {
      // The version is installed, whatever becomes of the others.
      const after: OperationRef = { id: ref.id, operation: 'prune', name: entry.name };
      await this.prune({ signal: o.signal, operator, id: ref.id, name: entry.name }).catch(
        (error: unknown) => {
          this.#tell(after, error, 'remove');
        },
      );
    }
    return entry;
  }

  /**
   * Deploys a version again that a prune archived (`retention.action: 'archive'`): from its archived source and wheels, in
   * a new environment, after a trial run. No package is needed; the archive goes with it.
   *
   * @throws RunnerError `invalid_params`, `not_found` when it is not archived, `already_installed`, `store_damaged` for an
   * archive that is not as it was sealed, and as {@link Deployer.install}
   */
  async restore(name: string, version: string, o: DeployOptions = {}): Promise<RegistryEntry> {
    checkTexts('deployer.restore(name, version)', { name, version });
    doors().restore.check(o);
    this.#registry.layout.deployed(name, version); // refuses what cannot be a folder name
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'restore', name, version };
    const { entry, replaced, warnings } = await this.#operate(ref, o, async (tools) =>
      (await this.#engine.get()).restore(
        { name, version },
        {
          ...{ ...tools, operator: o.operator },
          onCheck: (check) => {
            this.emit('check', {
              ...check,
              id: ref.id,
              operation: ref.operation,
              package: { name, version },
            });
          },
          onInspected: ({ manifest }) => {
            tools.onPids(manifest.supported_pids ?? []);
          },
        },
      ),
    );
    this.emit('installed', { ...ref, entry, replaced, warnings });
    return entry;
  }

  /**
   * Takes a version out of the store. With `dryRun` it rejects as it would otherwise, and changes nothing.
   *
   * @throws RunnerError `invalid_params`, `not_found`; `unsafe_uninstall` (2007) while it is active, any live process runs
   * it, or a rollback would go back to it, unless forced; `lock_timeout`, `aborted`, `closed`
   */
  async uninstall(name: string, version: string, o: UninstallOptions = {}): Promise<void> {
    checkTexts('deployer.uninstall(name, version)', { name, version });
    doors().uninstall.check(o);
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'uninstall', name, version };
    const { force = false, alsoRollbackTargets = false, dryRun = false, operator } = o;
    const asked = { force, spareRollback: !force && !alsoRollbackTargets, operator };
    if (dryRun) {
      await this.#runner.during(o, 'uninstall', (signal) =>
        this.#registry.unregister(name, version, { ...asked, dryRun, signal }),
      );
      return;
    }
    await this.#operate(ref, o, async (tools) => {
      tools.onStage('remove');
      await (await this.#engine.get()).uninstall(name, version, { ...tools, ...asked });
    });
    this.emit('uninstalled', ref);
  }

  /**
   * Applies the retention rule: of each name the newest versions stay; an active one, a running one and the one a
   * rollback would go back to stay whatever their age. With `dryRun` the report says what would go, and nothing does.
   */
  async prune(o: PruneRequest = {}): Promise<PruneReport> {
    doors().prune.check(o);
    if (o.dryRun) {
      return this.#runner.during(o, 'prune', async (signal) =>
        (await this.#engine.get()).wouldPrune({ name: o.name, signal }),
      );
    }
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'prune', name: o.name };
    const report = await this.#operate(ref, o, async ({ signal, meter, onStage }) => {
      onStage('remove');
      const onProgress = (part: number) => {
        meter.within(part);
      };
      return (await this.#engine.get()).prune({ name: o.name, operator: o.operator, signal, onProgress });
    });
    this.emit('pruned', report);
    return report;
  }

  /**
   * Removes what dead processes left in the store, and reports it. Safe while other hosts work on the store. What cannot be
   * repaired is named in `skipped`; the rest is still done. With `dryRun` the report says what would be done, and nothing
   * is.
   *
   * @throws RunnerError `store_failed`, `closed`, `aborted`
   */
  async recover(o: RecoverOptions = {}): Promise<RecoveryReport> {
    this.#runner.checkOpen('recover');
    doors().recover.check(o);
    const report = await this.#recoverStore(o);
    if (o.dryRun) return report;
    this.#recovery ??= Promise.resolve(report);
    this.emit('recovered', report);
    return report;
  }

  /**
   * Hashes a deployed version again and names every file that is not as it was sealed.
   * @throws RunnerError `invalid_params`, `not_found`, `busy` while another operation works on the version, `aborted`,
   * `closed`
   */
  async verify(name: string, version: string, o: OperationOptions = {}): Promise<DriftReport> {
    checkTexts('deployer.verify(name, version)', { name, version });
    doors().look.check(o);
    return this.#runner.during(o, 'verify', async (signal) =>
      (await this.#engine.get()).verify(name, version, { signal }),
    );
  }

  /** Aborts what runs and waits for its end. The registry stays open: it is the caller's. */
  async close(): Promise<void> {
    await this.#runner.close();
    await Promise.all([...this.#watches].map((loop) => loop[Symbol.asyncDispose]()));
    this.#watches.clear();
  }

  /** See {@link Deployer.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** An operation whose events, good and bad, are this deployer's. */
  async #operate<T>(
    ref: OperationRef,
    o: DeployOptions & { source?: string | Readable },
    work: (tools: OperationTools) => Promise<T>,
  ): Promise<T> {
    const listener = {
      onStage: (event: StageEvent) => void this.emit('stage', event),
      onProgress: (event: ProgressEvent) => void this.emit('progress', event),
    };
    try {
      return await this.#runner.operate(ref, o, listener, work);
    } catch (error) {
      const failure = error as RunnerError;
      const file = typeof o.source === 'string' ? path.resolve(o.source) : undefined;
      if (isPackageFault(failure)) {
        if (file !== undefined) await this.#engine.made?.discovery.remember(file, failure);
        this.emit('invalid', { ...ref, path: file, error: failure });
      }
      throw failure;
    }
  }

  /** A failure that no caller is given. */
  #tell(ref: OperationRef, failure: unknown, stage: string): void {
    this.emit('error', { ...ref, error: asRunnerError(failure, ref, stage) });
  }

  async #recovered(): Promise<void> {
    this.#recovery ??= this.#recoverStore({}).then((report) => {
      this.emit('recovered', report);
      return report;
    });
    try {
      await this.#recovery;
    } catch (error) {
      this.#recovery = undefined; // the next operation tries again
      throw error;
    }
  }

  async #recoverStore(o: RecoverOptions): Promise<RecoveryReport> {
    return (await this.#engine.get()).recover(o);
  }

  async #watchTurn(o: WatchOptions, signal: AbortSignal): Promise<void> {
    try {
      const { discovery } = await this.#engine.get();
      const found = await this.#runner.during({ signal }, 'watch', async (linked) =>
        discovery.scanZips(await this.#registry.list({}, { signal: linked }), { signal: linked }),
      );
      if (!o.install) return;
      for (const { path: zip, name = '', version = '', state } of found) {
        if (signal.aborted || state !== 'validated' || !(await discovery.isSettled(zip))) continue;
        if (await this.#registry.get(name, version, { signal })) continue;
        const ref: OperationRef = { id: crypto.randomUUID(), operation: 'install', name, version };
        // The next zip is not to suffer from its failure.
        await this.install(zip, { operator: o.operator, id: ref.id, signal }).catch((error: unknown) => {
          if (!signal.aborted && !this.#runner.isClosed && isNews(error)) this.#tell(ref, error, 'watch');
        });
      }
    } catch (error) {
      if (signal.aborted || this.#runner.isClosed) return;
      const ref: OperationRef = { id: crypto.randomUUID(), operation: 'install' };
      this.#tell(ref, error, 'watch');
    }
  }
}

/** By its shape: the streams of other libraries are no instances of Node's class. */
function isStream(zip: unknown): boolean {
  return typeof zip === 'object' && zip !== null && 'pipe' in zip && 'destroy' in zip;
}

/**
 * Whether a failed install of a watched folder is reported. A faulty package was already reported as `invalid`. A package
 * that another host installs or has installed is where it should be.
 */
function isNews(error: unknown): boolean {
  if (!RunnerError.is(error)) return true;
  return !isPackageFault(error) && error.code !== 'already_installed' && error.code !== 'lock_timeout';
}
