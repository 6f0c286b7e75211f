import { stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';
import { isMissing } from '../../store/errno.js';
import { asStoreError } from '../../store/store-error.js';
import { isSafeFolderName } from '../../store/file-names.js';
import { namesIn } from '../../store/names-in.js';
import type { RegistryEntry } from '../../registry/types.js';
import { isPackageFault } from '../failure.js';
import type { PackageSteps } from '../package-steps.js';
import { hashFile } from '../../store/hash-file.js';
import { readMarker } from '../seal/seal.js';
import { isPart } from '../transaction/move-by-copy.js';
import { holderOf, unfinishedOn } from '../transaction/version-lock.js';
import type { DiscoveredPackage, InvalidReason } from '../types.js';
import { mayBecomeZip } from './zip-signature.js';

/** What is known of one zip, as long as the file stays the same. */
interface Known {
  /**
   * Size, modification time and time of the last change: others mean another file. Bytes that come after the first time
   * was set (`cp -p`, `rsync -t`) move the last alone. Not the inode: network shares make them up anew.
   */
  fingerprint: string;
  /** When this fingerprint was first seen, by the monotonic clock. */
  since: number;
  name?: string;
  version?: string;
  sha256?: string;
  error?: RunnerError;
  /** When the error was met, by the monotonic clock. */
  failedAt?: number;
  /** What was told of it. */
  told?: string;
  isAnnounced?: boolean;
  /**
   * Whether it was put there, or changed, since the first look, and was not deployed since. Undefined for what lay there at
   * the first look: its time must tell.
   */
  isOffered: boolean | undefined;
}

/** A package that no Python of this machine can run is looked at again after this time: somebody may have installed one. */
const LOOK_AGAIN_MS = 60_000;

function setError(known: Known, error: RunnerError): void {
  Object.assign(known, { error, failedAt: performance.now(), told: error.message });
}

/** How to look. */
export interface DiscoveryOptions {
  registry: Pick<Registry, 'layout' | 'list' | 'get' | 'removedAt'>;
  /** What opens a zip: reads what it says it is, cheaply, from its directory and its small text files. */
  steps: Pick<PackageSteps, 'open'>;
  /** A zip that cannot be read and that changed within this time counts as being copied. */
  settleMs: number;
  /** A zip for which there was no Python is looked at again after this time. @defaultValue 60_000 */
  lookAgainMs?: number;
  /** A package was seen whole for the first time. */
  onDiscovered: (found: DiscoveredPackage) => void;
  /** A package was found to be invalid, for the first time. */
  onInvalid: (path: string, error: RunnerError) => void;
}

/** Looks through `zips/` and `deployed/`, and remembers what it made of each zip until that changes. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #known = new Map<string, Known>();
  /** Fingerprints of files that were not on offer when they went: a share that comes back brings nothing new. */
  readonly #gone = new Map<string, string>();
  #hasLooked = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Everything there is. A folder that is absent has nothing in it. */
  async scan(o: OperationOptions = {}): Promise<DiscoveredPackage[]> {
    const { registry } = this.#options;
    const entries = await registry.list({}, o);
    return [...(await this.scanZips(entries, o)), ...(await this.#scanDeployed(entries, o))];
  }

  /** The zips alone. */
  async scanZips(entries: readonly RegistryEntry[], o: OperationOptions = {}): Promise<DiscoveredPackage[]> {
    const { zips } = this.#options.registry.layout;
    const found: DiscoveredPackage[] = [];
    const present = new Set<string>();
    for (const name of (await namesIn(zips)).sort()) {
      throwIfAborted(o.signal, 'scan');
      // Copying tools write under a hidden name first, browsers under a name that does not end in .zip.
      if (name.startsWith('.') || !name.toLowerCase().endsWith('.zip')) continue;
      const file = path.join(zips, name);
      const seen = await this.#look(file, entries, o);
      if (!seen) continue;
      present.add(file);
      found.push(seen);
    }
    for (const [file, { isOffered, fingerprint }] of this.#known) {
      if (path.dirname(file) !== zips || present.has(file)) continue;
      this.#known.delete(file);
      if (!isOffered) this.#gone.set(file, fingerprint);
    }
    this.#hasLooked = true;
    return found;
  }

  /** Remembers that this very file cannot be installed, and why. */
  async remember(file: string, error: RunnerError): Promise<void> {
    const recalled = await this.#recall(file).catch(() => undefined);
    if (recalled) setError(recalled.known, error);
  }

  /**
   * Whether a watched folder is to deploy the file: it is not being copied, and its version was not removed since it was
   * put there.
   */
  async isDue(file: string, o: OperationOptions = {}): Promise<boolean> {
    const { known, changedMs } = (await this.#recall(file)) ?? {};
    if (!known || changedMs === undefined || !this.#isQuiet(known, changedMs)) return false;
    if (known.isOffered) return true;
    known.sha256 ??= await hashFile(file, o);
    const removedAt = this.#options.registry.removedAt(known.sha256);
    return removedAt === undefined || (known.isOffered === undefined && changedMs > removedAt);
  }

  /** The file was deployed: once its version is removed, it must be put there anew. */
  taken(file: string): void {
    const known = this.#known.get(file);
    if (known) known.isOffered = false;
  }

  async #look(
    file: string,
    entries: readonly RegistryEntry[],
    o: OperationOptions,
  ): Promise<DiscoveredPackage | undefined> {
    const unread = { source: 'zip' as const, path: file, state: 'discovered' as const, settling: true };
    const recalled = await this.#recall(file).catch((error: unknown) => {
      const refusal = asStoreError(error, `look at ${file}`);
      if (!RunnerError.is(refusal)) throw error;
      return refusal;
    });
    if (!recalled) return undefined;
    // One link in a circle, or one file of a share that is gone, says nothing about its neighbours.
    if (RunnerError.is(recalled)) return { ...unread, sizeBytes: 0, reason: reasonOf(recalled) };
    const { known, sizeBytes, changedMs } = recalled;
    const found = { source: 'zip' as const, path: file, settling: false, sizeBytes };
    if (known.error) await this.#doubt(file, known, entries, o);
    if (known.name === undefined && !known.error) {
      try {
        await using opened = await this.#options.steps.open(file, o);
        const { name, version } = opened.inspection;
        Object.assign(known, { name, version });
      } catch (error) {
        if (!RunnerError.is(error) || error.code === 'aborted') throw error;
        // The directory is at the end of a zip, so a zip that is being copied cannot be read yet. A failed read says
        // nothing about the package.
        const mayGrow = error.code === 'invalid_zip' && !this.#isQuiet(known, changedMs);
        if (!isPackageFault(error)) return { ...unread, sizeBytes, reason: reasonOf(error) };
        if (mayGrow && (await mayBecomeZip(file))) return { ...unread, sizeBytes };
        const isNew = known.told !== error.message;
        setError(known, error);
        if (isNew) this.#options.onInvalid(file, error);
      }
    }
    const { name, version } = known;
    if (known.error) return { ...found, name, version, state: 'invalid', reason: reasonOf(known.error) };
    const isDeployed = await this.#isDeployed(file, known, entries, o);
    if (isDeployed) this.taken(file);
    const whole: DiscoveredPackage = {
      ...found,
      name,
      version,
      state: isDeployed ? 'deployed' : 'validated',
    };
    if (!known.isAnnounced) {
      known.isAnnounced = true;
      this.#options.onDiscovered(whole);
    }
    return whole;
  }

  /** Forgets an error that may not hold any more: the zip was deployed since, or the machine may have got a Python for it. */
  async #doubt(
    file: string,
    known: Known,
    entries: readonly RegistryEntry[],
    o: OperationOptions,
  ): Promise<void> {
    if (entries.length > 0) {
      const sha256 = (known.sha256 ??= await hashFile(file, o).catch(() => undefined));
      const entry = entries.find((one) => one.sha256 !== undefined && one.sha256 === sha256);
      if (entry) {
        Object.assign(known, { name: entry.name, version: entry.version });
        delete known.error;
      }
    }
    const { lookAgainMs = LOOK_AGAIN_MS } = this.#options;
    // Of a package with a name the install has failed, not a look: that is for who asks for it.
    if (known.error?.code !== 'incompatible_python' || known.name !== undefined) return;
    if (performance.now() - (known.failedAt ?? 0) >= lookAgainMs) delete known.error;
  }

  async #isDeployed(
    file: string,
    known: Known,
    entries: readonly RegistryEntry[],
    o: OperationOptions,
  ): Promise<boolean> {
    const entry = entries.find(({ name, version }) => name === known.name && version === known.version);
    if (!entry) return false;
    known.sha256 ??= await hashFile(file, o);
    return entry.sha256 === known.sha256;
  }

  #isQuiet(known: Known, changedMs: number): boolean {
    const { settleMs } = this.#options;
    // Either clock will do: that of the share may be off, and a first look has nothing to compare with.
    return performance.now() - known.since >= settleMs || Date.now() - changedMs >= settleMs;
  }

  async #recall(file: string): Promise<{ known: Known; sizeBytes: number; changedMs: number } | undefined> {
    try {
      const stats = await stat(file);
      if (!stats.isFile()) return undefined;
      const { size, mtimeMs, ctimeMs } = stats;
      const fingerprint = `${size}-${mtimeMs}-${ctimeMs}`;
      let known = this.#known.get(file);
      if (known?.fingerprint !== fingerprint) {
        const isOffered = this.#hasLooked ? this.#gone.get(file) !== fingerprint : undefined;
        known = { fingerprint, since: performance.now(), isOffered };
        this.#known.set(file, known);
      }
      return { known, sizeBytes: size, changedMs: Math.max(mtimeMs, ctimeMs) };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #scanDeployed(entries: readonly RegistryEntry[], o: OperationOptions): Promise<DiscoveredPackage[]> {
    const { layout } = this.#options.registry;
    const found: DiscoveredPackage[] = [];
    for (const entry of entries) {
      throwIfAborted(o.signal, 'scan');
      const folder = layout.deployed(entry.name, entry.version);
      const { name, version, state, size_bytes: sizeBytes = 0 } = entry;
      const base = { source: 'deployed' as const, path: folder, name, version, settling: false, sizeBytes };
      if ((await readMarker(folder)) !== undefined) {
        found.push({ ...base, state });
        continue;
      }
      // It may be in the hands of another operation, or may have ended between two looks.
      const second = await this.#lookAgain(name, version);
      if (second.isGone) continue;
      if (second.busy) found.push({ ...base, state, busy: second.busy });
      else if ((await readMarker(folder)) !== undefined) found.push({ ...base, state });
      else {
        const reason = damaged(`${folder} is not complete; install it again with force`);
        found.push({ ...base, state: 'invalid', reason });
      }
    }
    return [...found, ...(await this.#scanUnlisted(entries))];
  }

  /**
   * What the lock, the journals and the registry say now, in that order: an operation that ended in between is in the registry.
   */
  async #lookAgain(
    name: string,
    version: string,
  ): Promise<{ busy: DiscoveredPackage['busy']; isGone: boolean }> {
    const { registry } = this.#options;
    const { layout } = registry;
    const holder =
      (await holderOf(layout, name, version)).holder ?? (await unfinishedOn(layout, name, version));
    const busy = holder && { ...holder, processId: holder.pid };
    return { busy, isGone: (await registry.get(name, version)) === undefined };
  }

  /** Whether nobody lists the version or works on it. */
  async #isLeft(name: string, version: string): Promise<boolean> {
    const { isGone, busy } = await this.#lookAgain(name, version);
    return isGone && !busy;
  }

  /** Folders that somebody else put there: what the registry does not list is not deployed. */
  async #scanUnlisted(entries: readonly RegistryEntry[]): Promise<DiscoveredPackage[]> {
    const { deployedRoot } = this.#options.registry.layout;
    const found: DiscoveredPackage[] = [];
    for (const name of await namesIn(deployedRoot)) {
      const children = await namesIn(path.join(deployedRoot, name));
      for (const version of children) {
        const isListed = entries.some((entry) => entry.name === name && entry.version === version);
        // A locked version is being deployed or removed.
        if (isListed || isPart(version) || /\.lock(\.|$)/.test(version)) continue;
        if (children.includes(`${version}.lock`)) continue;
        const folder = path.join(deployedRoot, name, version);
        // Sockets of locks come and go beside the versions.
        if (!(await isFolder(folder))) continue;
        const reason = damaged(`${folder} is not in the registry; install it from its zip, or remove it`);
        const base = { source: 'deployed' as const, path: folder, name, version };
        const unlisted = { ...base, state: 'invalid' as const, settling: false, sizeBytes: 0, reason };
        if (!isSafeFolderName(name) || !isSafeFolderName(version)) {
          found.push(unlisted); // no operation of ours works on it
          continue;
        }
        // Listed or worked on by now, or gone: an operation began or ended between two looks. It may have begun during the second.
        if (!(await this.#isLeft(name, version))) continue;
        if ((await isFolder(folder)) && (await this.#isLeft(name, version))) found.push(unlisted);
      }
    }
    return found;
  }
}

async function isFolder(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
}

function reasonOf({ code, errorCode, message }: RunnerError): InvalidReason {
  return { code, errorCode, message };
}

function damaged(message: string): InvalidReason {
  return { code: 'store_damaged', message };
}
