import type { Readable } from 'node:stream';
import type { OperationOptions } from '../abort.js';
import type { ArchiveLimits, Check, NameEncoding, PackageInspection, VersionRef } from '../package/types.js';

import type { SharedWheels } from '../python/types.js';
import type { VenvManager } from '../python/venv-manager.js';
import type { Registry } from '../registry/registry.js';
import type { Durability } from '../store/atomic-file.js';
import { withReserve } from '../store/reserve.js';
import { onStore } from '../store/store-error.js';
import type { PackageValidator } from '../validation/package-validator.js';
import { Discovery, type DiscoveryOptions } from './discovery/discovery.js';
import { verifyVersion } from './verify-version.js';
import { installPackage, type InstallOutcome } from './install/install.js';
import { restorePackage } from './install/restore.js';
import type { OperationTools } from './operation.js';
import { packageSteps, type PackageSteps } from './package-steps.js';
import type { ResolvedPermissions } from './seal/permissions.js';
import { plannedPrune, pruneVersions } from './prune/prune.js';
import { recoverStore } from './transaction/recovery.js';
import type { ResolvedRetention } from './prune/retention.js';
import { tidyWheels, withWheelsUndone } from './prune/shared-wheels.js';
import type { CompiledEvent, DriftReport, PruneReport, RecoverOptions, RecoveryReport } from './types.js';
import { removeVersion } from './uninstall.js';

/** What an engine is made from: the options of its deployer, defaults filled in. */
export interface DeployContext extends Omit<DiscoveryOptions, 'inspect'> {
  registry: Registry;
  venvs: VenvManager;
  validator: PackageValidator;
  /** Unpacked wheels that the environments of this store share. */
  shared: SharedWheels | undefined;
  /** Come before the validator's. */
  limits: Partial<ArchiveLimits> | undefined;
  /** In place of what environments and validator would do. */
  steps: PackageSteps | undefined;
  retention: ResolvedRetention;
  permissions: ResolvedPermissions;
  /** What every change to the store heeds. */
  common: {
    durability: Durability;
    lockTimeoutMs: number;
    uploadIdleMs: number;
    /** Whether an install makes byte code. */
    compilesBytecode: boolean;
    onCompiled: (event: CompiledEvent) => void;
  };
}

/** Who asks for what, and whether by force. */
interface Asked {
  force: boolean;
  /** Refuse what a rollback would go back to. */
  spareRollback?: boolean;
  operator: string | undefined;
}

/** What a deployer works with, loaded at its first operation. Tells nobody: events are the deployer's. */
export class DeployEngine {
  readonly discovery: Discovery;
  readonly #context: DeployContext;
  readonly #registry: Registry;
  readonly #steps: PackageSteps;

  constructor(context: DeployContext) {
    const { registry, settleMs, onDiscovered, onInvalid } = context;
    this.#context = context;
    this.#registry = registry;
    this.#steps = context.steps ?? packageSteps(registry.layout, context);
    this.discovery = new Discovery({
      ...{ registry, settleMs, onDiscovered, onInvalid },
      inspect: async (zip, o) => {
        await using opened = await this.#steps.open(zip, o);
        return opened.inspection;
      },
    });
  }

  install(
    zip: string | Readable,
    o: Asked &
      OperationTools & {
        fileName: string;
        nameEncoding: NameEncoding | undefined;
        origin?: 'local';
        onCheck: (check: Check) => void;
        onInspected: (inspection: PackageInspection) => void;
      },
  ): Promise<InstallOutcome> {
    const { common, permissions } = this.#context;
    const registry = this.#registry;
    const steps = this.#steps;
    return withWheelsUndone(registry, steps, () =>
      installPackage(zip, { registry, steps, permissions, ...common, ...o }),
    );
  }

  restore(
    version: VersionRef,
    o: OperationTools & {
      operator: string | undefined;
      onCheck: (check: Check) => void;
      onInspected: (inspection: PackageInspection) => void;
    },
  ): Promise<InstallOutcome> {
    const { common, permissions } = this.#context;
    const context = { registry: this.#registry, steps: this.#steps, permissions, ...common, ...o };
    const asked = { operation: 'restore', force: false, fileName: '', nameEncoding: undefined };
    return withWheelsUndone(this.#registry, this.#steps, () =>
      restorePackage(version, { ...context, ...asked }),
    );
  }

  async uninstall(name: string, version: string, o: Asked & OperationTools): Promise<void> {
    const { force, spareRollback, operator, signal, onPids } = o;
    const removal = {
      ...{ operation: 'uninstall' as const, archive: false, force, spareRollback },
      ...{ operator, signal, onPids },
    };
    await removeVersion(this.#registry, name, version, { ...removal, ...this.#context.common });
    // The version is gone; wheels that cannot be removed now go with the next prune.
    await tidyWheels(this.#registry, this.#steps).catch(() => undefined);
  }

  /** What {@link DeployEngine.prune} would remove. */
  wouldPrune(o: { name: string | undefined; signal: AbortSignal }): Promise<PruneReport> {
    return plannedPrune(this.#registry, { retention: this.#context.retention, ...o });
  }

  async prune(o: {
    name: string | undefined;
    operator: string | undefined;
    signal: AbortSignal;
    onProgress: (part: number) => void;
  }): Promise<PruneReport> {
    const { common, retention } = this.#context;
    const report = await pruneVersions(this.#registry, { ...common, retention, ...o });
    report.wheelBytes = await tidyWheels(this.#registry, this.#steps, { signal: o.signal });
    report.freedBytes += report.wheelBytes;
    return report;
  }

  recover(o: RecoverOptions): Promise<RecoveryReport> {
    const { durability } = this.#context.common;
    let attempts = 0;
    const recover = () => recoverStore(this.#registry, durability, { ...o, failsWhenFull: ++attempts === 1 });
    if (o.dryRun) return recoverStore(this.#registry, durability, o);
    return onStore('recover the store', () => withReserve(this.#registry.layout, recover));
  }

  verify(name: string, version: string, o: OperationOptions): Promise<DriftReport> {
    return verifyVersion(this.#registry, name, version, o);
  }
}
