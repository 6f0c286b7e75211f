import { settleOrAbort, type OperationOptions } from '../../abort.js';
import type { Registry } from '../../registry/registry.js';
import { ContentStore, type KnownPackage } from './content-store.js';
import type { ListedPackage } from './export-package.js';
import { OpenArchives } from './open-archives.js';
import { PlaceChanged, readPlace, type Place } from './places.js';

/** How long what was found is taken as it is, in milliseconds. */
const FRESH_MS = 1_000;

/** Content that can be given. */
interface ServedBlob {
  sizeBytes: number;
  /**
   * Its bytes from one on. The last of them come once the digest of all is right: where the content has changed, the stream fails
   * before its end.
   */
  read(from: number, signal: AbortSignal | undefined): AsyncGenerator<Buffer, void, undefined>;
}

interface Served {
  stamp: string;
  packages: Map<string, KnownPackage>;
  places: Map<string, { sizeBytes: number; places: Place[] }>;
}

/**
 * What a station gives to others: packages of which it has every content, from `zips/` and from what is deployed. Content that is
 * part of no such package is not given.
 */
export class ServedContent {
  readonly #content: ContentStore;
  readonly #archives = new OpenArchives();
  #served: Served | undefined;
  #lookedAt = 0;
  #looking: Promise<Served> | undefined;

  constructor(registry: Registry) {
    this.#content = new ContentStore(registry);
  }

  /** The packages that it has whole. */
  async list(o: OperationOptions = {}): Promise<ListedPackage[]> {
    const { packages } = await this.#look(o);
    return [...packages.values()].map(({ name, version, manifest: { digest, totalBytes } }) => ({
      ...{ name, version, digest, size_bytes: totalBytes },
    }));
  }

  /** The manifest of a package; undefined where it is not here whole. */
  async manifest(digest: string, o: OperationOptions = {}): Promise<Buffer | undefined> {
    return (await this.#look(o)).packages.get(digest)?.manifest.text;
  }

  /** Content by its digest; undefined where no package here has it. */
  async blob(sha256: string, o: OperationOptions = {}): Promise<ServedBlob | undefined> {
    const found =
      (this.#served ?? (await this.#look(o))).places.get(sha256) ?? (await this.#look(o)).places.get(sha256);
    if (!found) return undefined;
    const { sizeBytes, places } = found;
    const archives = this.#archives;
    const forget = () => (this.#served = undefined);
    return {
      sizeBytes,
      async *read(from, signal) {
        for (const [index, place] of places.entries()) {
          let given = 0;
          try {
            for await (const chunk of readPlace(
              place,
              { sha256, sizeBytes },
              { archives, from: from + given, signal },
            )) {
              given += chunk.length;
              yield chunk;
            }
            return;
          } catch (error) {
            if (!(error instanceof PlaceChanged)) throw error;
            forget();
            // What was given may be wrong: nothing right can follow.
            if (given > 0 || index === places.length - 1) throw error;
          }
        }
      },
    };
  }

  /** One look at a time; who waits for it does not end it for the others. */
  async #look(o: OperationOptions): Promise<Served> {
    if (this.#served && performance.now() - this.#lookedAt < FRESH_MS) return this.#served;
    this.#looking ??= this.#find().finally(() => (this.#looking = undefined));
    return settleOrAbort(o.signal, this.#looking);
  }

  async #find(): Promise<Served> {
    const stamp = await this.#content.stamp();
    if (this.#served?.stamp !== stamp) this.#served = await this.#findAll(stamp);
    this.#lookedAt = performance.now();
    return this.#served;
  }

  async #findAll(stamp: string): Promise<Served> {
    const known = await this.#content.packages();
    const wanted = known.flatMap(({ manifest }) =>
      manifest.entries.filter(({ isDirectory }) => !isDirectory),
    );
    const places = await this.#content.places(wanted, known);
    const isHere = (sha256: string, sizeBytes: number) =>
      sizeBytes === 0 || (places.get(sha256)?.length ?? 0) > 0;
    const served: Served = { stamp, packages: new Map(), places: new Map() };
    for (const one of known) {
      const files = one.manifest.entries.filter(({ isDirectory }) => !isDirectory);
      if (!files.every(({ sha256, sizeBytes }) => isHere(sha256, sizeBytes))) continue;
      served.packages.set(one.manifest.digest, one);
      for (const { sha256, sizeBytes } of files) {
        served.places.set(sha256, { sizeBytes, places: places.get(sha256) ?? [] });
      }
    }
    return served;
  }
}
