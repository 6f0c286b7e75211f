import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../../abort.js';
import { RunnerError } from '../../../errors.js';
import type { ActiveMapping } from '../../../registry/types.js';
import type { Runner } from '../../../runner/runner.js';
import { readJson, writeJsonAtomic } from '../../../store/atomic-file.js';
import { isMissing } from '../../../store/errno.js';
import type { ProbationPolicy } from '../../../supervisor/switching/probation.js';
import type {
  DeployedPackage,
  FetchedPackage,
  ServedVersion,
  StationPort,
  WantedPackage,
} from '../../ports.js';
import type { CallFigures } from '../../state.js';
import { CallCounts } from './call-counts.js';

/** Who changes the store, in its audit log. */
const OPERATOR = 'fleet';

/** How a station is changed for its fleet. */
export interface RunnerStationOptions {
  /** Folder of the agent in the store. */
  folder: string;
  /** Trial of a version that the fleet switches to. @defaultValue the trial's own defaults */
  probation?: Partial<ProbationPolicy>;
  /** Reasons why nothing may be switched now, such as a batch that is under way. @defaultValue none */
  locks?: () => string[] | Promise<string[]>;
}

/** What is known of a version that the fleet installed. */
interface KnownDigest {
  digest: string;
  /** Of the registry's entry: a version that was deployed anew by hand is another. */
  deployment: string | undefined;
}

/** A station of this library: its store and its supervisor. */
export class RunnerStation implements StationPort {
  readonly #runner: Runner;
  readonly #options: RunnerStationOptions;
  readonly #counts: CallCounts;
  #digests: Map<string, KnownDigest> | undefined;

  constructor(runner: Runner, options: RunnerStationOptions) {
    this.#runner = runner;
    this.#options = options;
    this.#counts = new CallCounts(runner.supervisor);
  }

  /** Ends its listeners; the runner stays open. */
  close(): void {
    this.#counts.close();
  }

  /** See {@link StationPort.deployed}. */
  async deployed({ signal }: OperationOptions = {}): Promise<DeployedPackage[]> {
    const entries = await this.#runner.registry.list({}, { signal });
    const digests = await this.#knownDigests();
    return entries.map(({ name, version, deployment_id }) => {
      const known = digests.get(`${name}@${version}`);
      return { name, version, ...(known?.deployment === deployment_id && { digest: known?.digest }) };
    });
  }

  async serving({ signal }: OperationOptions = {}): Promise<Record<string, ServedVersion>> {
    const { registry, supervisor } = this.#runner;
    const active = await registry.active({ signal });
    const trials = new Map(
      supervisor.status().map(({ name, version, trial }) => [`${name}@${version}`, trial?.productIds ?? []]),
    );
    return Object.fromEntries(
      Object.entries(active).map(([product, { name, version }]) => {
        const isOnTrial = trials.get(`${name}@${version}`)?.includes(product) ?? false;
        return [product, { name, version, isOnTrial }];
      }),
    );
  }

  /** @throws RunnerError `digest_mismatch` when the version is deployed from other bytes, and as `Deployer.install` */
  async install(
    fetched: FetchedPackage,
    { name, version, digest }: WantedPackage,
    { signal }: OperationOptions = {},
  ): Promise<void> {
    const entry = await this.#runner.ensureInstalled(fetched.zip, { operator: OPERATOR, signal });
    if (entry.name !== name || entry.version !== version) {
      throw new RunnerError(
        'digest_mismatch',
        `The package with the digest ${digest} is ${entry.name} ${entry.version}, not ${name} ${version}. Correct the desired state`,
        { details: { name, version } },
      );
    }
    const digests = await this.#knownDigests();
    digests.set(`${name}@${version}`, { digest, deployment: entry.deployment_id });
    await writeJsonAtomic(this.#file, Object.fromEntries(digests));
  }

  async switch({
    name,
    version,
    productIds,
    signal,
  }: OperationOptions & { name: string; version: string; productIds: string[] }): Promise<void> {
    const { probation = {} } = this.#options;
    await this.#runner.supervisor.switch({
      name,
      version,
      productIds,
      probation,
      operator: OPERATOR,
      signal,
    });
  }

  /**
   * Each product id goes back by itself: to the newest earlier version that starts. While it starts, the version with the bar answers
   * still, so that no call is lost; a version that a trial kept warm takes over at once.
   */
  async back(
    o: OperationOptions & {
      name: string;
      version: string;
      productIds: string[];
      quarantined: readonly string[];
    },
  ): Promise<{ to: Record<string, string>; left: string[] }> {
    const to: [string, string][] = [];
    const left: string[] = [];
    for (const productId of o.productIds) {
      // Read for each: a person may have moved it while another one went back.
      const { [productId]: mapping } = await this.#runner.registry.active({ signal: o.signal });
      if (mapping?.name !== o.name || mapping.version !== o.version) continue;
      const ref = await this.#backOne(productId, mapping, new Set(o.quarantined), o.signal);
      if (ref === undefined) left.push(productId);
      else to.push([productId, ref]);
    }
    return { to: Object.fromEntries(to), left };
  }

  async #backOne(
    productId: string,
    { name, version, history = [], barred = [] }: ActiveMapping,
    quarantined: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { registry, supervisor } = this.#runner;
    const isBad = (one: { name: string; version: string }) =>
      quarantined.has(`${one.name}@${one.version}`) ||
      (one.name === name && one.version === version) ||
      barred.some((bar) => bar.name === one.name && bar.version === one.version);
    for (const earlier of history) {
      if (isBad(earlier) || !(await registry.get(earlier.name, earlier.version, { signal }))) continue;
      const target = { name: earlier.name, version: earlier.version };
      try {
        await supervisor.rollback({ productId, to: target, operator: OPERATOR, signal });
        return `${target.name}@${target.version}`;
      } catch (error) {
        // What cannot start is no way back; the station's own faults are another matter, and are tried again.
        if (!RunnerError.is(error, 'start_failed') && !RunnerError.is(error, 'invalid_pid')) throw error;
      }
    }
    await registry.deactivate({ productIds: [productId], operator: OPERATOR, signal });
    return undefined;
  }

  async uninstall(name: string, version: string, { signal }: OperationOptions = {}): Promise<void> {
    await this.#runner.deployer.uninstall(name, version, { operator: OPERATOR, signal });
    const digests = await this.#knownDigests();
    if (digests.delete(`${name}@${version}`)) await writeJsonAtomic(this.#file, Object.fromEntries(digests));
  }

  /** Those of the host, and the file `lock` in the folder of the agent: its first line is the reason. */
  async locks(): Promise<string[]> {
    const given = (await this.#options.locks?.()) ?? [];
    try {
      const text = await readFile(path.join(this.#options.folder, 'lock'), 'utf8');
      const [reason = ''] = text.split('\n');
      return [...given, reason.trim() === '' ? 'the file lock is there' : reason.trim().slice(0, 200)];
    } catch (error) {
      if (isMissing(error)) return given;
      throw error;
    }
  }

  async calls(o: OperationOptions = {}): Promise<Record<string, CallFigures>> {
    const serving = Object.entries(await this.serving(o));
    return this.#counts.figures(
      Object.fromEntries(serving.map(([product, one]) => [product, `${one.name}@${one.version}`])),
    );
  }

  onChange(listener: () => void): () => void {
    const { supervisor, registry } = this.#runner;
    const supervised = ['switched', 'switchedBack', 'accepted'] as const;
    const registered = [
      'activated',
      'deactivated',
      'switched',
      'rolledBack',
      'changed',
      'unregistered',
    ] as const;
    for (const event of supervised) supervisor.on(event, listener);
    for (const event of registered) registry.on(event, listener);
    return () => {
      for (const event of supervised) supervisor.off(event, listener);
      for (const event of registered) registry.off(event, listener);
    };
  }

  get #file(): string {
    return path.join(this.#options.folder, 'digests.json');
  }

  async #knownDigests(): Promise<Map<string, KnownDigest>> {
    if (!this.#digests) {
      const value = await readJson(this.#file).catch(() => undefined);
      const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      this.#digests = new Map(entries.filter((entry): entry is [string, KnownDigest] => isKnown(entry[1])));
    }
    return this.#digests;
  }
}

function isKnown(value: unknown): boolean {
  return typeof (value as KnownDigest | null | undefined)?.digest === 'string';
}
