import path from 'node:path';
import type { Readable } from 'node:stream';
import type { OperationOptions } from '../abort.js';
import { checkStrings } from '../arguments.js';
import { useAssets } from '../assets.js';
import { SafeEmitter } from '../emitter.js';
import type { RunnerError } from '../errors.js';
import { VenvManager } from '../python/venv-manager.js';
import { showAs } from '../readable.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import type { Durability } from '../store/atomic-file.js';
import { PackageValidator } from '../validation/package-validator.js';
import type { Discovery } from './discovery/discovery.js';
import { PollingLoop } from './discovery/watch.js';
import { asRunnerError, isNews, isPackageFault } from './failure.js';
import { stepsGivenWith } from './given-steps.js';
import type { AskedInstall, InstallContext, InstallOutcome } from './install/install.js';
import { isUpload, UNNAMED_UPLOAD } from './install/upload-name.js';
import { OperationRunner, type OperationTools } from './operation.js';
import { doors, type DeployerOptions, type WatchOptions } from './options.js';
import type { packageSteps, PackageSteps } from './package-steps.js';
import { resolveRetention, type ResolvedRetention } from './prune/retention.js';
import { resolvePermissions, type ResolvedPermissions } from './seal/permissions.js';
import type {
  CompiledEvent,
  DeployerEvents,
  DeployOptions,
  DiscoveredPackage,
  DriftReport,
  InstallOptions,
  OperationRef,
  PruneReport,
  PruneRequest,
  RecoverOptions,
  RecoveryReport,
  UninstallOptions,
  Watch,
} from './types.js';

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
  /** What packages are checked, installed and tried out with. */
  readonly #below: Parameters<typeof packageSteps>[1];
  readonly #permissions: ResolvedPermissions;
  readonly #retention: ResolvedRetention;
  /** What every change to the store heeds. */
  readonly #common: {
    durability: Durability;
    lockTimeoutMs: number;
    uploadIdleMs: number;
    /** Whether an install makes byte code. */
    compilesBytecode: boolean;
    onCompiled: (event: CompiledEvent) => void;
  };
  readonly #settleMs: number;
  readonly #runner: OperationRunner;
  readonly #watches = new Set<PollingLoop>();
  /** In place of what environments and validator would do; else made at the first operation. */
  #steps: PackageSteps | undefined;
  #discovery: Discovery | undefined;
  #recovery: Promise<RecoveryReport> | undefined;

  /** @throws RunnerError `invalid_params` without a registry, or for a retention, permissions or limits that cannot be */
  constructor(options: DeployerOptions) {
    super();
    doors().deployer.check(options);
    useAssets(options.assets);
    const { registry, lockTimeoutMs = 30_000, uploadIdleMs = 60_000 } = options;
    const durability = options.durability ?? registry.durability;
    this.uploadIdleMs = uploadIdleMs;
    this.#registry = registry;
    this.#runner = new OperationRunner(registry, () => this.#recovered(), {
      onStage: (event) => void this.emit('stage', event),
      onProgress: (event) => void this.emit('progress', event),
      onEnded: (event) => void this.emit('ended', event),
    });
    const venvs = options.venvs ?? new VenvManager({ installer: 'link' });
    this.#below = {
      ...{ venvs, validator: options.validator ?? new PackageValidator({ venvs }), limits: options.limits },
      shared: venvs.sharedWheels(registry.layout.wheelStore, durability),
    };
    this.#permissions = resolvePermissions(options.permissions);
    this.#retention = resolveRetention(options.retention);
    this.#common = {
      ...{ lockTimeoutMs, uploadIdleMs, durability, compilesBytecode: options.compileBytecode ?? true },
      onCompiled: (event) => void this.emit('compiled', event),
    };
    this.#settleMs = options.settleMs ?? 2_000;
    this.#steps = stepsGivenWith(options);
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
    return this.#runner.during(o, 'scan', async (signal) => (await this.#looker()).scan({ signal }));
  }

  /**
   * Looks through `zips/` again and again, until it is closed. With `install` everything new and valid is installed, one after
   * the other; what fails for its own fault, or whose version was removed, is not installed until the file changes.
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
   * `force`, `version_in_use`, `lock_timeout`, `aborted`, `closed`; `store_failed` with the system's error as its cause when
   * the disk is full, read-only or fails. Nothing is left in the store then.
   */
  async install(zip: string | Readable, o: InstallOptions = {}): Promise<RegistryEntry> {
    if (!isUpload(zip)) checkStrings('deployer.install(zip)', { zip });
    doors().install.check(o);
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'install' };
    const { force = false, operator, fileName = UNNAMED_UPLOAD, sizeBytes, nameEncoding } = o;
    const { origin, ownFiles } = o;
    const asked = { force, operator, fileName, sizeBytes, nameEncoding, origin, ownFiles };
    const entry = await this.#deploy(ref, { ...o, source: zip }, asked, async (context) => {
      const { installPackage } = await import('./operations.js');
      return installPackage(zip, context);
    });
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
    checkStrings('deployer.restore(name, version)', { name, version });
    doors().restore.check(o);
    this.#registry.layout.deployed(name, version); // refuses what cannot be a folder name
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'restore', name, version };
    const { operator } = o;
    const asked = { operation: 'restore', force: false, operator, fileName: '', nameEncoding: undefined };
    return this.#deploy(ref, o, asked, async (context) => {
      const { restorePackage } = await import('./operations.js');
      return restorePackage({ name, version }, context);
    });
  }

  /**
   * Takes a version out of the store. With `dryRun` it rejects as it would otherwise, and changes nothing.
   *
   * @throws RunnerError `invalid_params`, `not_found`; `unsafe_uninstall` (2007) while it is active, any live process runs
   * it, or a rollback would go back to it, unless forced; `lock_timeout`, `aborted`, `closed`
   */
  async uninstall(name: string, version: string, o: UninstallOptions = {}): Promise<void> {
    checkStrings('deployer.uninstall(name, version)', { name, version });
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
    await this.#operate(ref, o, async ({ signal, onPids, onStage }) => {
      const { removeVersion, tidyWheels } = await import('./operations.js');
      onStage('remove');
      const removal = { operation: 'uninstall' as const, archive: false, signal, onPids };
      await removeVersion(this.#registry, name, version, { ...removal, ...asked, ...this.#common });
      // The version is gone; wheels that cannot be removed now go with the next prune.
      await tidyWheels(this.#registry, await this.#packageSteps()).catch(() => undefined);
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
      return this.#runner.during(o, 'prune', async (signal) => {
        const { plannedPrune } = await import('./operations.js');
        return plannedPrune(this.#registry, { retention: this.#retention, name: o.name, signal });
      });
    }
    const ref: OperationRef = { id: o.id ?? crypto.randomUUID(), operation: 'prune', name: o.name };
    const report = await this.#operate(ref, o, async ({ signal, meter, onStage }) => {
      const { pruneVersions, tidyWheels } = await import('./operations.js');
      onStage('remove');
      const pruned = await pruneVersions(this.#registry, {
        ...{ ...this.#common, retention: this.#retention, name: o.name, operator: o.operator, signal },
        onProgress: (part) => {
          meter.within(part);
        },
      });
      pruned.wheelBytes = await tidyWheels(this.#registry, await this.#packageSteps(), { signal });
      pruned.freedBytes += pruned.wheelBytes;
      return pruned;
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
    checkStrings('deployer.verify(name, version)', { name, version });
    doors().look.check(o);
    return this.#runner.during(o, 'verify', async (signal) => {
      const { verifyVersion } = await import('./operations.js');
      return verifyVersion(this.#registry, name, version, { signal });
    });
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

  async #packageSteps(): Promise<PackageSteps> {
    const { packageSteps } = await import('./operations.js');
    return (this.#steps ??= packageSteps(this.#registry.layout, this.#below));
  }

  async #looker(): Promise<Discovery> {
    const { Discovery } = await import('./operations.js');
    const steps = await this.#packageSteps();
    return (this.#discovery ??= new Discovery({
      ...{ registry: this.#registry, steps, settleMs: this.#settleMs },
      onDiscovered: (found) => this.emit('discovered', found),
      onInvalid: (file, error) => {
        this.emit('invalid', { id: crypto.randomUUID(), operation: 'install', path: file, error });
      },
    }));
  }

  /** An operation that ends with a version in the store. */
  async #deploy(
    ref: OperationRef,
    o: DeployOptions & { source?: string | Readable },
    asked: AskedInstall,
    work: (context: InstallContext) => Promise<InstallOutcome>,
  ): Promise<RegistryEntry> {
    const { entry, replaced, warnings } = await this.#operate(ref, o, async (tools) => {
      const { removingWheelsOnFailure } = await import('./operations.js');
      const [registry, steps] = [this.#registry, await this.#packageSteps()];
      const onCheck: InstallContext['onCheck'] = (check) => {
        const { id, operation, name = '', version = '' } = ref;
        this.emit('check', { ...check, id, operation, package: { name, version } });
      };
      const context: InstallContext = {
        ...{ registry, steps, permissions: this.#permissions, ...this.#common, ...tools, ...asked, onCheck },
        onInspected: ({ name, version, manifest, checks }) => {
          tools.onPids(manifest.supported_pids ?? []);
          if (ref.name !== undefined) return; // a restore, whose checks were made when it was installed
          Object.assign(ref, { name, version });
          checks.forEach(onCheck);
        },
      };
      return removingWheelsOnFailure(registry, steps, () => work(context));
    });
    this.emit('installed', { ...ref, entry, replaced, warnings });
    return entry;
  }

  /** An operation whose faults are reported by an event. */
  async #operate<T>(
    ref: OperationRef,
    o: DeployOptions & { source?: string | Readable },
    work: (tools: OperationTools) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#runner.operate(ref, o, work);
    } catch (error) {
      const failure = error as RunnerError;
      const file = typeof o.source === 'string' ? path.resolve(o.source) : undefined;
      if (isPackageFault(failure)) {
        if (file !== undefined) await (await this.#looker()).remember(file, failure);
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
    const { recoverStore } = await import('./operations.js');
    return recoverStore(this.#registry, this.#common.durability, o);
  }

  async #watchTurn(o: WatchOptions, signal: AbortSignal): Promise<void> {
    try {
      const discovery = await this.#looker();
      const found = await this.#runner.during({ signal }, 'watch', async (linked) =>
        discovery.scanZips(await this.#registry.list({}, { signal: linked }), { signal: linked }),
      );
      if (!o.install) return;
      for (const { path: zip, name = '', version = '', state } of found) {
        if (signal.aborted || state !== 'validated') continue;
        if (await this.#registry.get(name, version, { signal })) continue;
        if (!(await discovery.isDue(zip, { signal }))) continue;
        const ref: OperationRef = { id: crypto.randomUUID(), operation: 'install', name, version };
        const tell = (error: unknown) => {
          if (!signal.aborted && !this.#runner.isClosed && isNews(error)) this.#tell(ref, error, 'watch');
        };
        await this.install(zip, { operator: o.operator, id: ref.id, signal }).then(() => {
          discovery.taken(zip);
        }, tell);
      }
    } catch (error) {
      if (signal.aborted || this.#runner.isClosed) return;
      this.#tell({ id: crypto.randomUUID(), operation: 'install' }, error, 'watch');
    }
  }
}
