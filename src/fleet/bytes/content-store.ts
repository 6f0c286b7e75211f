import { createHash } from 'node:crypto';
import { lstat, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Archive } from '../../package/archive-types.js';
import { openArchive } from '../../package/archive/open-archive.js';
import { checkManifest, parseManifestJson } from '../../package/manifest.js';
import { findLayout } from '../../package/project-layout.js';
import type { ArchiveLimits } from '../../package/types.js';
import { readInventory } from '../../registry/inventory.js';
import type { Registry } from '../../registry/registry.js';
import { writeFileAtomic } from '../../store/atomic-file.js';
import { namesIn } from '../../store/names-in.js';
import {
  isDigest,
  manifestOf,
  ManifestMismatch,
  parseManifest,
  type ContentManifest,
} from './content-manifest.js';
import { partialManifest, partialZip, readPartial } from './partial-package.js';
import type { Place, WantedContent } from './places.js';
import { planZip } from './zip-plan.js';

/** A package whose content is known on this station. */
export interface KnownPackage {
  name: string;
  version: string;
  manifest: ContentManifest;
  /** Its zip, where it lies in `zips/`. */
  zip?: { file: string; mark: string };
}

/** What the file of a known package begins with. */
interface Head {
  name: string;
  version: string;
  digest: string;
}

/** A zip that changed within this time may still be written. */
const SETTLE_MS = 2_000;
/** Entries that a deployment leaves out are kept up to this size each, and up to this size of one package. */
const MOST_KEPT_BYTES = 2 ** 20;
const MOST_KEPT_TOGETHER_BYTES = 16 * 2 ** 20;

/**
 * What a station has of packages, by content: `zips/`, the files of deployed versions, and what is kept in `.content/`:
 * `packages/<digest>` (what was fetched here), `zips/<key>` (a zip of `zips/`, read once), `blobs/<sha256>` (small entries that
 * a deployment leaves out) and `partial/<digest>/` (what was fetched before a cut).
 */
export class ContentStore {
  readonly #registry: Pick<Registry, 'layout' | 'list'>;
  readonly #limits: Partial<ArchiveLimits> | undefined;
  readonly #root: string;

  constructor(registry: Pick<Registry, 'layout' | 'list'>, limits?: Partial<ArchiveLimits>) {
    this.#registry = registry;
    this.#limits = limits;
    this.#root = registry.layout.content;
  }

  /** The folder of what is being fetched. */
  partial(digest: string): string {
    return path.join(this.#root, 'partial', digest);
  }

  /** Names of the folders of what is being fetched. */
  async partials(): Promise<string[]> {
    return (await namesIn(path.join(this.#root, 'partial'))).filter(isDigest);
  }

  /** Folder of zips that are done, and not installed yet. */
  get work(): string {
    return path.join(this.#root, 'work');
  }

  /** Names of what is kept of the zips that are there. */
  async zipKeys(): Promise<Set<string>> {
    const marks = (await this.#zipFiles()).map((file) => markOf(file).then(keyOf, () => ''));
    return new Set(await Promise.all(marks));
  }

  /** Zips of a package that are done, and not installed yet. */
  async ready(digest: string): Promise<string[]> {
    const folders = await namesIn(this.work);
    return folders.map((folder) => path.join(this.work, folder, `${digest}.zip`));
  }

  /** Every package that is known; a zip that has not been looked into is read whole, once. */
  async packages(o: OperationOptions = {}): Promise<KnownPackage[]> {
    const found = new Map<string, KnownPackage>();
    for (const one of [...(await this.#zips(o)), ...(await this.#fetched())]) {
      if (!found.has(one.manifest.digest)) found.set(one.manifest.digest, one);
    }
    return [...found.values()];
  }

  /** What tells whether `packages()` may have changed, without reading any. */
  async stamp(o: OperationOptions = {}): Promise<string> {
    const zips = await Promise.all((await this.#zipFiles()).map((file) => markOf(file).catch(() => '')));
    const deployed = (await this.#registry.list({}, o)).map(
      (entry) => `${entry.name}@${entry.version}@${entry.deployment_id}`,
    );
    const kept = await namesIn(path.join(this.#root, 'packages'));
    return createHash('sha256')
      .update(JSON.stringify([zips, deployed, kept]))
      .digest('hex');
  }

  /** Where wanted content may lie, the best places first; whether it still does is seen when it is read. */
  async places(
    wanted: readonly WantedContent[],
    known: readonly KnownPackage[],
    o: OperationOptions = {},
  ): Promise<Map<string, Place[]>> {
    const places = new Map<string, Place[]>(wanted.map(({ sha256 }) => [sha256, []]));
    for (const sha256 of await this.#kept()) places.get(sha256)?.push({ file: this.#blob(sha256) });
    for (const digest of await this.partials()) await this.#addPartial(this.partial(digest), places);
    for (const entry of await this.#registry.list({}, o)) {
      throwIfAborted(o.signal, 'look for content');
      const root = this.#registry.layout.deployed(entry.name, entry.version);
      const inventory = await readInventory(root, entry).catch(() => undefined);
      for (const [file, [, sha256]] of Object.entries(inventory?.files ?? {})) {
        places.get(sha256)?.push({ file: path.join(root, file) });
      }
    }
    for (const { manifest, zip } of known) {
      if (!zip) continue;
      for (const { name, sha256, isDirectory } of manifest.entries) {
        if (!isDirectory) places.get(sha256)?.push({ zip: zip.file, mark: zip.mark, entry: name });
      }
    }
    return places;
  }

  /** Keeps what makes this station a source of a package that is about to be deployed: what a deployment leaves out. */
  async remember(
    archive: Archive,
    manifest: ContentManifest,
    about: { name: string; version: string },
  ): Promise<void> {
    const layout = findLayout(archive.path, archive.entries);
    const digests = new Map(manifest.entries.map(({ name, sha256 }) => [name, sha256]));
    const leftOut = archive.entries.filter(
      (entry) => !entry.isDirectory && digests.has(entry.name) && layout.place(entry) === undefined,
    );
    const isMuch = leftOut.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) > MOST_KEPT_TOGETHER_BYTES;
    if (isMuch || leftOut.some(({ sizeBytes }) => sizeBytes > MOST_KEPT_BYTES)) return;
    for (const entry of leftOut) {
      await writeFileAtomic(this.#blob(digests.get(entry.name) ?? ''), await archive.read(entry), 'none');
    }
    await this.#write(path.join(this.#root, 'packages', manifest.digest), manifest, about);
  }

  async #kept(): Promise<string[]> {
    const folder = path.join(this.#root, 'blobs');
    const inside = (await namesIn(folder)).map((two) => namesIn(path.join(folder, two)));
    return (await Promise.all(inside)).flat();
  }

  #blob(sha256: string): string {
    return path.join(this.#root, 'blobs', sha256.slice(0, 2), sha256);
  }

  async #addPartial(folder: string, places: Map<string, Place[]>): Promise<void> {
    const text = await partialManifest(folder).catch(() => undefined);
    if (!text) return;
    try {
      const plan = planZip(parseManifest(text, path.basename(folder), this.#limits));
      const { done } = await readPartial(folder);
      for (const index of done.keys()) {
        const planned = plan.entries[index];
        if (planned)
          places.get(planned.entry.sha256)?.push({ file: partialZip(folder), offset: planned.contentOffset });
      }
    } catch (error) {
      if (!(error instanceof ManifestMismatch) && !RunnerError.is(error)) throw error;
    }
  }

  async #zipFiles(): Promise<string[]> {
    const { zips } = this.#registry.layout;
    const names = (await namesIn(zips)).sort();
    return names
      .filter((name) => !name.startsWith('.') && name.toLowerCase().endsWith('.zip'))
      .map((name) => path.join(zips, name));
  }

  async #zips(o: OperationOptions): Promise<KnownPackage[]> {
    const known: KnownPackage[] = [];
    for (const file of await this.#zipFiles()) {
      throwIfAborted(o.signal, 'look for content');
      const mark = await markOf(file).catch(() => undefined);
      if (mark === undefined) continue;
      const cache = path.join(this.#root, 'zips', keyOf(mark));
      const one = (await this.#read(cache)) ?? (await this.#learn(file, mark, cache, o));
      if (one) known.push({ ...one, zip: { file, mark } });
    }
    return known;
  }

  /** Reads a zip. A file that is no package, or is being written, is passed over. */
  async #learn(
    file: string,
    mark: string,
    cache: string,
    o: OperationOptions,
  ): Promise<KnownPackage | undefined> {
    const isNone = await readFile(cache, 'utf8').then(
      (text) => text === NONE,
      () => false,
    );
    if (isNone) return undefined;
    const settled = Date.now() - (await stat(file)).mtimeMs > SETTLE_MS;
    try {
      await using archive = await openArchive(file, { limits: this.#limits, signal: o.signal });
      const about = await nameOf(archive, o);
      if (about) {
        const manifest = await manifestOf(archive, o);
        if ((await markOf(file)) !== mark) return undefined;
        if (settled) await this.#write(cache, manifest, about);
        return { ...about, manifest };
      }
    } catch (error) {
      if (!RunnerError.is(error, 'invalid_zip') && !RunnerError.is(error, 'not_found')) throw error;
    }
    if (settled) await writeFileAtomic(cache, NONE, 'none');
    return undefined;
  }

  /** What was fetched here, as long as it is deployed. */
  async #fetched(): Promise<KnownPackage[]> {
    const folder = path.join(this.#root, 'packages');
    const names = (await namesIn(folder)).filter(isDigest);
    const known = await Promise.all(names.map((name) => this.#read(path.join(folder, name))));
    return known.filter((one) => one !== undefined);
  }

  async #write(
    file: string,
    manifest: ContentManifest,
    about: { name: string; version: string },
  ): Promise<void> {
    const head: Head = { name: about.name, version: about.version, digest: manifest.digest };
    await writeFileAtomic(
      file,
      Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), manifest.text]),
      'none',
    );
  }

  async #read(file: string): Promise<KnownPackage | undefined> {
    const bytes = await readFile(file).catch(() => undefined);
    const end = bytes?.indexOf('\n') ?? -1;
    if (!bytes || end < 1) return undefined;
    try {
      const { name, version, digest } = JSON.parse(bytes.toString('utf8', 0, end)) as Partial<Head>;
      if (typeof name !== 'string' || typeof version !== 'string' || !isDigest(digest)) return undefined;
      return { name, version, manifest: parseManifest(bytes.subarray(end + 1), digest, this.#limits) };
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof ManifestMismatch || RunnerError.is(error))
        return undefined;
      throw error;
    }
  }
}

const keyOf = (mark: string) => createHash('sha256').update(mark).digest('hex');

/** In place of the manifest of a zip that is no package. */
const NONE = 'none\n';

/** What a package calls itself; undefined where it does not say. */
export async function nameOf(
  archive: Archive,
  o: OperationOptions,
): Promise<{ name: string; version: string } | undefined> {
  const { manifest } = findLayout(archive.path, archive.entries);
  if (!manifest) return undefined;
  const { value } = parseManifestJson(await archive.read(manifest, o));
  const { manifest: checked } = checkManifest(value, 'execute-only');
  return checked && { name: checked.name, version: checked.version };
}

/** What tells a file's content apart without reading it. */
export async function markOf(file: string): Promise<string> {
  const stats = await lstat(file, { bigint: true });
  if (!stats.isFile()) throw new RunnerError('not_found', `${file} is no file`, { details: { path: file } });
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return [dev, ino, size, mtimeNs, ctimeNs].join('/');
}
