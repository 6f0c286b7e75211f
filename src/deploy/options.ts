import type { Registry } from '../registry/registry.js';
import type { VenvManager } from '../python/venv-manager.js';
import type { PackageValidator } from '../validation/package-validator.js';
import type { ArchiveLimits } from '../package/types.js';
import { NAME_ENCODINGS } from '../package/name-encodings.js';
import type { Durability } from '../store/atomic-file.js';
import type { OperationOptions } from '../abort.js';
import {
  abortSignal,
  choice,
  Door,
  duration,
  flag,
  group,
  instance,
  must,
  number,
  option,
  text,
  whole,
  lazily,
} from '../options.js';
import { limitOptions } from '../package/options.js';
import { ownFiles } from '../python/options.js';
import type {
  ArchiveRetention,
  DeployOptions,
  InstallOptions,
  Permissions,
  PruneRequest,
  RecoverOptions,
  Retention,
  UninstallOptions,
} from './types.js';

/** What a {@link Deployer} is made from. */
export interface DeployerOptions {
  /** The store to deploy into; it stays open when the deployer closes. */
  registry: Registry;
  /** Makes the environments. @defaultValue a manager that shares unpacked wheels in the store */
  venvs?: VenvManager;
  /** Inspects the packages and runs them on trial. @defaultValue a validator that uses `venvs` */
  validator?: PackageValidator;
  /** How many versions are kept. */
  retention?: Retention;
  /** Modes and owner of what is deployed. */
  permissions?: Permissions;
  /** Bounds on what a package and its wheels may contain; each given bound overrides the validator's. */
  limits?: Partial<ArchiveLimits>;
  /** `none` does not wait for the disk: for tests. @defaultValue the registry's */
  durability?: Durability;
  /** How long to wait for another process that works on the same version. @defaultValue 30_000 */
  lockTimeoutMs?: number;
  /** A zip that cannot be read and changed within this time is taken for one being copied. @defaultValue 2_000 */
  settleMs?: number;
  /** Longest time without a byte of an upload. @defaultValue 60_000 */
  uploadIdleMs?: number;
  /**
   * Make the byte code of what the trial run has imported, while a version is installed (of all sources where there is no
   * trial run), in at most a quarter of the install's time. It is sealed with the version. Workers write none: without it
   * every start compiles.
   * @defaultValue true
   */
  compileBytecode?: boolean;
  /**
   * Folder with the files that ship beside the modules of this library: a copy of its `dist`. For a bundle, which does not know
   * where they are; the same in every part of a process.
   * @defaultValue the variable `PROCVISION_ASSETS`, else the folder of the module
   */
  assets?: string;
}

export interface WatchOptions extends DeployOptions {
  /** Time between two looks at `zips/`, in milliseconds. @defaultValue 2_000 */
  intervalMs?: number;
  /** Install what is found. @defaultValue false */
  install?: boolean;
}

/** The one above it stands for "none" in system calls. */
const LARGEST_ID = 0xffff_fffe;

const operation = { operator: text(), id: text(), signal: abortSignal() };
const mode = () => option<number>('mode', 'must be a mode of a file, 0 to 0o777', isMode);

/** What each call of a `Deployer` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  deployer: new Door<DeployerOptions>('new Deployer({ registry })', {
    registry: must(instance('a Registry (await Registry.open(root))', 'resolve', 'register')),
    venvs: instance('a VenvManager', 'select', 'create'),
    validator: instance('a PackageValidator', 'inspect', 'validate'),
    retention: group<Retention>({
      keep: whole(0, 1_000_000),
      action: choice('archive', 'delete'),
      automatic: flag(),
      archives: group<ArchiveRetention>({
        keep: whole(0, 1_000_000),
        maxAgeDays: number(0, 1_000_000),
        maxBytes: whole(0),
      }),
    }),
    permissions: group<Permissions>({
      ...{ seal: flag(), fileMode: mode(), folderMode: mode() },
      ...{ uid: whole(0, LARGEST_ID), gid: whole(0, LARGEST_ID) },
    }),
    limits: limitOptions(),
    durability: choice('full', 'none'),
    lockTimeoutMs: duration(),
    settleMs: duration(),
    uploadIdleMs: duration(1),
    compileBytecode: flag(),
    assets: text(),
  }),
  look: new Door<OperationOptions>('deployer: the last argument', { signal: abortSignal() }),
  watch: new Door<WatchOptions>('deployer.watch(options)', {
    ...operation,
    intervalMs: duration(1),
    install: flag(),
  }),
  recover: new Door<RecoverOptions>('deployer.recover(options)', {
    ...{ dryRun: flag(), signal: abortSignal() },
  }),
  install: new Door<InstallOptions>('deployer.install(zip, options)', {
    ...operation,
    force: flag(),
    fileName: text(),
    sizeBytes: whole(0),
    nameEncoding: choice(...NAME_ENCODINGS),
    ownFiles: ownFiles(),
    origin: choice('local'),
  }),
  uninstall: new Door<UninstallOptions>('deployer.uninstall(name, version, options)', {
    ...operation,
    force: flag(),
    alsoRollbackTargets: flag(),
    dryRun: flag(),
  }),
  restore: new Door<DeployOptions>('deployer.restore(name, version, options)', operation),
  prune: new Door<PruneRequest>('deployer.prune(options)', {
    ...operation,
    name: text(),
    dryRun: flag(),
  }),
}));

function isMode(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0o777;
}
