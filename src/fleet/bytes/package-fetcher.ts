import { link } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { openArchive } from '../../package/archive/open-archive.js';
import { checkPolicy } from '../../package/integrity.js';
import { packageDigest } from '../../package/integrity/digest.js';
import type { ArchiveLimits } from '../../package/types.js';
import { makeFolder, renameOver } from '../../store/atomic-file.js';
import { acquireLock } from '../../store/lock.js';
import { removeTree } from '../../store/remove-tree.js';
import { isOutOfSpace } from '../../store/reserve.js';
import { checkSpace } from '../../store/space.js';
import { asStoreError } from '../../store/store-error.js';
import { makeWorkFolder } from '../../store/work-folder.js';
import { doors, type PackageFetcherOptions } from './options.js';

import type { FetchedPackage, FetchProgress, PackageBytesPort, WantedPackage } from '../ports.js';
import { assemble } from './assemble.js';
import { collectKept, collectPartials, lockOf } from './collect.js';
import type { ContentManifest } from './content-manifest.js';
import { ContentStore, type KnownPackage } from './content-store.js';
import { findManifest } from './find-manifest.js';
import { OpenArchives } from './open-archives.js';
import { PartialPackage } from './partial-package.js';
import { sourceUrl, type SourceBounds } from './source.js';
import { Sources } from './sources.js';

export type { PackageFetcherOptions } from './options.js';

const NEEDED_FILES = 8;
/** What stands between the contents, and the folder's own records. */
const MARGIN_BYTES = 2 ** 20;

/**
 * Brings packages to a station by their content: fetches what neither `zips/`, deployed versions nor an earlier fetch has, and puts the
 * zip together. What was fetched before a cut, an abort or a SIGKILL is used again; one earlier fetch of another package is
 * kept for a week at most.
 */
export class PackageFetcher implements PackageBytesPort {
  readonly #options: PackageFetcherOptions;
  readonly #content: ContentStore;
  readonly #bounds: SourceBounds & { attempts: number };

  /** @throws RunnerError `invalid_params` for an address that is none, or a policy that cannot be */
  constructor(options: PackageFetcherOptions) {
    doors().fetcher.check(options);
    options.sources.forEach(sourceUrl);
    if (options.integrity) checkPolicy(options.integrity);
    this.#options = options;
    this.#content = new ContentStore(options.registry, options.limits);
    const { idleMs = 15_000, leastBytesPerSecond = 1_024, lanes = 4, attempts = 3, headers } = options;
    this.#bounds = { idleMs, leastBytesPerSecond, lanes, attempts, headers };
  }

  /**
   * See {@link PackageBytesPort.fetch}.
   *
   * @throws RunnerError also `invalid_zip` for a package that cannot be or is not signed as the policy demands, `untrusted_keys`,
   * `store_failed` when the disk is full or fails, `lock_timeout`, `aborted`, `invalid_params`
   */
  async fetch(
    wanted: WantedPackage,
    o: OperationOptions & { onProgress?: (p: FetchProgress) => void } = {},
  ): Promise<FetchedPackage> {
    doors().wanted.check(wanted);
    wanted.sources?.forEach(sourceUrl);
    doors().fetch.check(o);
    const { signal } = o;
    throwIfAborted(signal, 'fetch');
    const folder = this.#content.partial(wanted.digest);
    const what = `${wanted.name} ${wanted.version}`;
    try {
      await makeFolder(path.dirname(folder), 'none');
      await using _lock = await acquireLock(lockOf(folder), {
        operation: `fetch ${what}`,
        timeoutMs: this.#options.lockTimeoutMs ?? 3_600_000,
        signal,
      });
      return await this.#fetchLocked(wanted, folder, o);
    } catch (error) {
      // A disk that is full is not to stay so for a package that could not be brought.
      if (isOutOfSpace(error)) await removeTree(folder).catch(() => undefined);
      throw asStoreError(error, `fetch ${what}`);
    }
  }

  async #fetchLocked(
    wanted: WantedPackage,
    folder: string,
    { signal, onProgress }: OperationOptions & { onProgress?: (p: FetchProgress) => void },
  ): Promise<FetchedPackage> {
    const { registry, integrity, limits } = this.#options;
    await collectPartials(this.#content, wanted.digest);
    const known = await this.#content.packages({ signal });
    await collectKept(this.#content, { layout: registry.layout, list: () => registry.list() }, known);
    using sources = new Sources([...(wanted.sources ?? []), ...this.#options.sources], {
      ...this.#bounds,
      wanted,
    });
    const { manifest, fetchedBytes } = await findManifest(wanted, {
      known,
      folder,
      sources,
      integrity,
      limits,
      signal,
    });
    const linked = await this.#link(wanted, known, signal);
    if (linked) {
      const { totalBytes } = manifest;
      onProgress?.({ doneBytes: totalBytes, totalBytes, fetchedBytes });
      return { ...linked, fetchedBytes, reusedBytes: totalBytes };
    }
    const report = await this.#assemble(manifest, folder, {
      known,
      sources,
      fetchedBytes,
      onProgress,
      signal,
    });
    return { ...(await this.#handOver(folder, wanted, manifest, signal)), ...report };
  }

  async #assemble(
    manifest: ContentManifest,
    folder: string,
    o: OperationOptions & {
      known: readonly KnownPackage[];
      sources: Sources;
      fetchedBytes: number;
      onProgress: ((p: FetchProgress) => void) | undefined;
    },
  ): Promise<{ fetchedBytes: number; reusedBytes: number }> {
    const { layout, durability } = this.#options.registry;
    await using archives = new OpenArchives();
    await using partial = await PartialPackage.open(folder, manifest, o.signal);
    const { entries, directoryOffset } = partial.plan;
    const need = directoryOffset + entries.length * 256 + MARGIN_BYTES - partial.presentBytes;
    const what = `a package of ${(manifest.totalBytes / 1e6).toFixed(1)} MB`;
    await checkSpace(layout.algorithms, { bytes: Math.max(0, need), files: NEEDED_FILES }, what);
    const report = await assemble(manifest, partial, {
      ...o,
      archives,
      lanes: this.#bounds.lanes,
      places: (missing) => this.#content.places(missing, o.known, { signal: o.signal }),
    });
    await partial.finish(durability);
    return report;
  }

  /** A second name for a zip that is here already: nothing is written. Undefined where there is none, or the disk has no such names. */
  async #link(
    { digest }: WantedPackage,
    known: readonly KnownPackage[],
    signal: AbortSignal | undefined,
  ): Promise<HandedOver | undefined> {
    const own = known.flatMap(({ zip, manifest }) => (zip && manifest.digest === digest ? [zip.file] : []));
    for (const file of [...own, ...(await this.#content.ready(digest))]) {
      const handed = await this.#intoWork(digest, async (zip) => {
        await link(file, zip);
        if ((await digestOf(zip, this.#options.limits, signal)) !== digest) throw new Error('it has changed');
      }).catch((error: unknown) => {
        // Another file system, one without links, or a zip that has changed: the package is put together, like every other.
        throwIfAborted(signal, 'fetch');
        if (isOutOfSpace(error)) throw error;
      });
      if (handed) return handed;
    }
    return undefined;
  }

  /** Reads the zip once more as an install does, and gives it a folder of its own. */
  async #handOver(
    folder: string,
    wanted: WantedPackage,
    manifest: ContentManifest,
    signal: AbortSignal | undefined,
  ): Promise<HandedOver> {
    const { limits } = this.#options;
    const made = path.join(folder, 'package.zip');
    const digest = await digestOf(made, limits, signal);
    if (digest !== wanted.digest) {
      await removeTree(folder);
      throw new RunnerError(
        'digest_mismatch',
        `The zip of ${wanted.name} ${wanted.version} was changed while it was put together: its digest is ${digest}, not ` +
          `${wanted.digest}. Fetch it again; if it stays so, look at the disk`,
        { details: { name: wanted.name, version: wanted.version } },
      );
    }
    {
      await using archive = await openArchive(made, { limits, signal });
      await this.#content.remember(archive, manifest, wanted);
    }
    const handed = await this.#intoWork(wanted.digest, (zip) => renameOver(made, zip));
    await removeTree(folder);
    return handed;
  }

  /** Puts a zip where it is this caller's alone, until it is released or this process is gone. */
  async #intoWork(digest: string, put: (zip: string) => Promise<void>): Promise<HandedOver> {
    const work = await makeWorkFolder(this.#content.work);
    const release = async () => {
      await work[Symbol.asyncDispose]();
      await removeTree(work.path);
    };
    const zip = path.join(work.path, `${digest}.zip`);
    try {
      await put(zip);
      return { zip, release };
    } catch (error) {
      await release();
      throw error;
    }
  }
}

type HandedOver = Pick<FetchedPackage, 'zip' | 'release'>;

async function digestOf(
  zip: string,
  limits: Partial<ArchiveLimits> | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  await using archive = await openArchive(zip, { limits, signal });
  return await packageDigest(archive, { signal });
}
