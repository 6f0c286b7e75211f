import path from 'node:path';
import type { Readable } from 'node:stream';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Check, Manifest, NameEncoding, PackageInspection, VersionRef } from '../../package/types.js';
import { neededSpace } from '../../package/needed-space.js';
import { requiredAssets } from '../../package/required-assets.js';
import { isOwnFiles } from '../../python/options.js';
import type { Inventory } from '../../registry/inventory.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { Durability } from '../../store/atomic-file.js';
import { encodeFileName } from '../../store/file-names.js';
import type { StoreLayout } from '../../store/layout.js';
import { checkSpace } from '../../store/space.js';
import type { OpenPackage, PackageSteps } from '../package-steps.js';
import type { ResolvedPermissions } from '../seal/permissions.js';
import type { StageMeter, StageBytes } from '../progress.js';
import { archivedVersions } from '../prune/archives.js';
import { recoverVersion } from '../transaction/recovery.js';
import { checkMayReplace, checkOwnPlace } from './replace.js';
import { sealTree, writeSeal } from '../seal/seal.js';
import { Transaction } from '../transaction/transaction.js';
import type { CompiledEvent, DeployStage } from '../types.js';
import { settleTwice } from '../transaction/unwind.js';
import { receiveUpload } from './upload.js';
import { namedAsSent } from './upload-name.js';
import { withVersionLock } from '../transaction/version-lock.js';

/** Byte code may take this share of the time that everything before it took, and not be cut off before this time. */
const COMPILE_SHARE = 0.25;
const LEAST_COMPILE_MS = 1_000;

/** What an install works with. */
export interface InstallContext extends OperationOptions {
  registry: Registry;
  steps: PackageSteps;
  permissions: ResolvedPermissions;
  durability: Durability;
  lockTimeoutMs: number;
  uploadIdleMs: number;
  force: boolean;
  /** What the version's lock is held for. @defaultValue 'install' */
  operation?: string;
  /** What an upload is called in messages. */
  fileName: string;
  /** Bytes of an upload, where its sender has told. */
  sizeBytes?: number | undefined;
  nameEncoding: NameEncoding | undefined;
  origin?: 'local';
  /** Names of files of the version that get no second name, where the caller says them. */
  ownFiles?: readonly string[] | undefined;
  operator: string | undefined;
  meter: StageMeter;
  onStage: (stage: DeployStage) => void;
  compilesBytecode: boolean;
  /** Called when name and version of the package are known. */
  onInspected: (inspection: PackageInspection) => void;
  /** A check of the smoke run was made. */
  onCheck: (check: Check) => void;
  onCompiled: (event: CompiledEvent) => void;
}

/** What an install gives. */
export interface InstallOutcome {
  entry: RegistryEntry;
  replaced: boolean;
  /** What is odd about the package and its wheels. */
  warnings: string[];
}

/** What of it an operation is asked with. */
export type AskedInstall = Pick<
  InstallContext,
  'force' | 'operator' | 'fileName' | 'sizeBytes' | 'nameEncoding' | 'operation' | 'origin' | 'ownFiles'
>;

/** Deploys a zip, or an upload, which is kept in `zips/` once it is deployed. */
export async function installPackage(
  source: string | Readable,
  context: InstallContext,
): Promise<InstallOutcome> {
  if (typeof source === 'string') return installZip(path.resolve(source), context);
  const { registry, durability, signal, uploadIdleMs, onStage, meter } = context;
  onStage('receive');
  const transaction = await Transaction.begin(registry, { operation: 'receive' }, durability).catch(
    (error: unknown) => {
      source.destroy();
      throw error;
    },
  );
  try {
    await receiveUpload(source, transaction.upload, {
      durability,
      signal,
      idleMs: uploadIdleMs,
      onBytes: (received) => {
        meter.received(received, context.sizeBytes);
      },
    });
    return await installZip(transaction.upload, context, transaction);
  } catch (error) {
    await settleTwice(transaction); // again, where the install has done so: then there is nothing left to do
    throw namedAsSent(error, transaction.upload, context.fileName);
  }
}

async function installZip(
  zip: string,
  context: InstallContext,
  upload?: Transaction,
): Promise<InstallOutcome> {
  const { steps, signal, onStage } = context;
  onStage('inspect');
  await using opened = await steps.open(zip, { signal, nameEncoding: context.nameEncoding });
  return await installOpened(opened, context, upload);
}

/** Deploys a package that passed its inspection. */
export async function installOpened(
  opened: OpenPackage,
  context: InstallContext,
  upload?: Transaction,
): Promise<InstallOutcome> {
  const { registry, signal, meter } = context;
  const { inspection } = opened;
  context.onInspected(inspection);
  meter.plan(stageBytes(inspection));
  const { name, version } = inspection;
  registry.layout.deployed(name, version); // refuses what cannot be a folder name
  const waiting = { operation: context.operation ?? 'install', timeoutMs: context.lockTimeoutMs, signal };
  return withVersionLock(registry.layout, { name, version }, waiting, () =>
    installLocked(opened, context, upload),
  );
}

async function installLocked(
  opened: OpenPackage,
  context: InstallContext,
  upload: Transaction | undefined,
): Promise<InstallOutcome> {
  const { registry, signal, onStage } = context;
  const { inspection } = opened;
  const { name, version } = inspection;
  await recoverVersion(registry, name, version, context.durability);
  const existing = await registry.get(name, version, { signal });
  if (existing) await checkMayReplace(registry, existing, inspection, context.force);
  else await checkOwnPlace(registry, { name, version });
  onStage('space');
  await checkRoom(registry.layout, inspection);
  const transaction = await beginInstall(context, inspection, upload);
  let { warnings } = inspection;
  try {
    const ownFiles = ownFilesOf(context, { name, version }, existing);
    const { entry, warnings: found } = await build(opened, transaction, { ...context, ownFiles });
    warnings = [...new Set([...warnings, ...found])];
    onStage('publish');
    throwIfAborted(signal, 'install');
    // The look happens under the lock: it sees every process that uses the old version. A later process waits for the lock
    // and gets the new one.
    const files = {
      publish: async () => {
        await transaction.publish();
        onStage('register');
        throwIfAborted(signal, 'install');
      },
      withdraw: () => transaction.withdraw(),
    };
    await registry.register(entry, { signal, operator: context.operator, files });
    await settleTwice(transaction);
    return { entry, replaced: existing !== undefined, warnings };
  } catch (error) {
    // It may lie in the folder that goes: a file that is open keeps its folder there (Windows).
    await opened[Symbol.asyncDispose]().then(undefined, () => undefined);
    // The registry alone says whether it happened: it may have been written before something else failed.
    if ((await settleTwice(transaction)) !== 'completed') throw error;
    const entry = await registry.get(name, version);
    if (!entry) throw error;
    return { entry, replaced: existing !== undefined, warnings };
  }
}

/** @throws RunnerError `store_failed` that names archives which may go */
async function checkRoom(layout: StoreLayout, inspection: PackageInspection): Promise<void> {
  const { name, version } = inspection;
  try {
    await checkSpace(layout.algorithms, neededSpace(inspection), `${name} ${version}`);
  } catch (error) {
    const archives = await archivedVersions(layout).catch(() => []);
    if (!RunnerError.is(error, 'store_failed') || archives.length === 0) throw error;
    const bytes = archives.reduce((sum, one) => sum + one.bytes, 0);
    const oldest = archives
      .reverse()
      .slice(0, 5)
      .map((one) => `${one.name} ${one.version}`);
    const more = archives.length > oldest.length ? `, and ${archives.length - oldest.length} more` : '';
    throw new RunnerError(
      'store_failed',
      `${error.message}. Archives of pruned versions take ${(bytes / 1e6).toFixed(1)} MB and may go, the oldest first: ` +
        `${oldest.join(', ')}${more} (retention.archives bounds them)`,
      { cause: error.cause, details: { ...error.details, archiveBytes: bytes }, errorCode: error.errorCode },
    );
  }
}

/** What is unpacked, what of it is installed, and all of it once more while it is sealed. */
function stageBytes(inspection: PackageInspection): StageBytes {
  return {
    unpack: inspection.unpackedBytes,
    environment: inspection.wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    seal: neededSpace(inspection).bytes,
  };
}

async function beginInstall(
  { registry, durability }: InstallContext,
  { name, version }: PackageInspection,
  upload: Transaction | undefined,
): Promise<Transaction> {
  if (!upload) return Transaction.begin(registry, { operation: 'install', name, version }, durability);
  const file = `${encodeFileName(name)}-v${encodeFileName(version)}-offline.zip`;
  await upload.amend({ operation: 'install', name, version, upload: file });
  return upload;
}

/** What is said now comes before the policy of the version, and that before what an earlier deployment of it was made with. */
function ownFilesOf(
  { ownFiles, registry }: InstallContext,
  { name, version }: VersionRef,
  existing: RegistryEntry | undefined,
): readonly string[] {
  const kept = registry.policyOf(name, version)?.ownFiles;
  return ownFiles ?? (isOwnFiles(kept) ? kept : existing?.own_files) ?? [];
}

/** Makes the whole version in the transaction's folder, where nobody looks. */
async function build(
  opened: OpenPackage,
  transaction: Transaction,
  context: InstallContext & { ownFiles: readonly string[] },
): Promise<Pick<InstallOutcome, 'entry' | 'warnings'>> {
  const { registry, steps, signal, onStage, meter, durability, permissions } = context;
  const builtFrom = performance.now();
  const { inspection } = opened;
  const { name, version, manifest } = inspection;
  const root = transaction.tree;
  const finalRoot = registry.layout.deployed(name, version);
  onStage('unpack');
  // Python makes it while the package is unpacked. What goes wrong there is said in its own stage, where it is tried once more.
  const ending = new AbortController();
  const early = steps
    .early(path.join(transaction.folder, 'early'), inspection, {
      finalRoot,
      signal: signal ? AbortSignal.any([signal, ending.signal]) : ending.signal,
    })
    .catch(() => undefined);
  const unpacking = opened.unpack(root, {
    signal,
    onProgress: (done, total) => {
      meter.within(total > 0 ? done / total : 1);
    },
  });
  const { sha256, hashes: unpacked } = await unpacking.catch(async (error: unknown) => {
    ending.abort();
    await early; // nothing may write afterwards
    throw error;
  });
  onStage('environment');
  const {
    venv,
    hashes,
    sharedAreDurable,
    warnings = [],
  } = await steps.environment(root, inspection, {
    finalRoot,
    limits: opened.limits,
    ownFiles: context.ownFiles,
    unpacked,
    early: await early,
    signal,
    onProgress: (part) => {
      meter.within(part);
    },
  });
  onStage('smoke');
  let loaded: readonly string[] | undefined;
  await using compiler = context.compilesBytecode
    ? await steps.compiling(root, venv, { finalRoot, signal })
    : undefined;
  const learnt = await steps.smoke(root, venv, inspection, {
    finalRoot,
    signal,
    onCheck: context.onCheck,
    told: compiler?.told,
    onLoaded: (files) => (loaded = files),
  });
  onStage('seal');
  if (compiler) {
    const compileFrom = performance.now();
    const limitMs = Math.max(LEAST_COMPILE_MS, (compileFrom - builtFrom) * COMPILE_SHARE);
    const compiled = await compiler.finish({ files: loaded, limitMs });
    const durationMs = performance.now() - compileFrom;
    if (compiled) context.onCompiled({ name, version, ...compiled, durationMs });
  }
  const inventory = await sealTree(root, {
    permissions,
    durability,
    signal,
    known: new Map([...unpacked, ...hashes]),
    sharedAreDurable,
    onBytes: (done) => {
      meter.within(done / Math.max(1, neededSpace(inspection).bytes));
    },
  });
  const entry: RegistryEntry = {
    name,
    version,
    supported_pids: manifest.supported_pids ?? [],
    ...(manifest.image_formats && { image_formats: manifest.image_formats }),
    state: 'deployed',
    created_at: new Date().toISOString(),
    entry_point: manifest.entry_point,
    generation: inspection.generation,
    ...(inspection.sdkVersion !== undefined && { sdk_version: inspection.sdkVersion }),
    python_version: venv.interpreter.version,
    ...learnt,
    ...assetsOf(manifest, inventory),
    sha256,
    size_bytes: inventory.bytes,
    ...(context.origin !== undefined && { origin: context.origin }),
    ...(context.ownFiles.length > 0 && { own_files: [...context.ownFiles] }),
    ...(context.operator !== undefined && { operator: context.operator }),
    deployment_id: transaction.record.id,
  };
  return { entry: await writeSeal(root, entry, inventory, durability), warnings };
}

/** The files that the manifest names, as they were sealed. */
function assetsOf(manifest: Manifest, { files }: Inventory): Pick<RegistryEntry, 'assets'> {
  const paths = new Set(requiredAssets(manifest).assets.map((asset) => asset.path));
  const assets = [...paths].flatMap((file) => {
    const [size, sha256] = files[file] ?? [];
    return size === undefined || sha256 === undefined ? [] : [{ path: file, size_bytes: size, sha256 }];
  });
  return assets.length > 0 ? { assets } : {};
}
