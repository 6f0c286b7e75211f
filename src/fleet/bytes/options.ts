import { type OperationOptions } from '../../abort.js';
import {
  abortSignal,
  callback,
  Door,
  duration,
  instance,
  lazily,
  must,
  name,
  number,
  option,
  strings,
  whole,
} from '../../options.js';
import { integrityOptions, limitOptions } from '../../package/options.js';
import type { IntegrityPolicy } from '../../package/integrity.js';
import type { ArchiveLimits } from '../../package/types.js';
import type { Registry } from '../../registry/registry.js';
import type { FetchProgress, WantedPackage } from '../ports.js';

/** What a `PackageFetcher` is made from. */
export interface PackageFetcherOptions {
  /** The store of the station. It stays open. */
  registry: Registry;
  /**
   * Addresses of sources, the nearest first: where the `index.json` of each lies, such as `http://plant:8080/content/` of a
   * `procvision-runner serve`, or a folder of static files. A package may name further ones, which are asked first.
   */
  sources: readonly string[];
  /** Headers of the requests to a source, such as `authorization`. @defaultValue none */
  headers?: (source: string) => Readonly<Record<string, string>>;
  /**
   * What signatures are held to, as the validator is: a package that no known key has signed is refused before its bytes come, and a
   * source with another signature is left for the next. @defaultValue the signature is checked when the package is installed
   */
  integrity?: IntegrityPolicy;
  /** Bounds on what a package may contain. */
  limits?: Partial<ArchiveLimits>;
  /** Longest time without a byte from a source, in milliseconds. @defaultValue 15_000 */
  idleMs?: number;
  /** Bytes a second that a source must give on average once `idleMs` was spent waiting for it. @defaultValue 1_024 */
  leastBytesPerSecond?: number;
  /** Requests at once. @defaultValue 4 */
  lanes?: number;
  /** How often a source that is away is asked for the same before it is left. @defaultValue 3 */
  attempts?: number;
  /** How long to wait for another process that fetches the same package, in milliseconds. @defaultValue 3_600_000 */
  lockTimeoutMs?: number;
}

const isDigest = (value: unknown) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

/** What each call of the fleet takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  fetcher: new Door<PackageFetcherOptions>('new PackageFetcher(options)', {
    registry: must(instance('a Registry (await Registry.open(root))', 'list', 'get')),
    sources: must(strings()),
    headers: callback(),
    integrity: integrityOptions(),
    limits: limitOptions(),
    idleMs: duration(1),
    leastBytesPerSecond: number(0, 1e9),
    lanes: whole(1, 64),
    attempts: whole(1, 100),
    lockTimeoutMs: duration(),
  }),
  wanted: new Door<WantedPackage>('fetcher.fetch(wanted)', {
    name: name(),
    version: name(),
    digest: must(option<string>('digest', 'must be a SHA-256 in 64 lower-case hex digits', isDigest)),
    sources: strings(),
  }),
  export: new Door<OperationOptions & { limits?: Partial<ArchiveLimits> }>(
    'exportPackage(zip, folder, options)',
    {
      ...{ signal: abortSignal(), limits: limitOptions() },
    },
  ),
  fetch: new Door<OperationOptions & { onProgress?: (p: FetchProgress) => void }>(
    'fetcher.fetch(wanted, options)',
    {
      signal: abortSignal(),
      onProgress: callback(),
    },
  ),
}));
