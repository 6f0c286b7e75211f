import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Deployer, type DeployerOptions } from '../deploy/deployer.js';
import { Registry, type RegistryOptions } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import type { StoreLayout } from '../store/layout.js';
import { AlgorithmSupervisor, type AlgorithmSupervisorOptions } from '../supervisor/algorithm-supervisor.js';
import { buildPackage, type PackageSource } from './build-package.js';
import { deployVersion, type VersionSource } from './deploy-version.js';
import type { FakeWorker } from './fake-worker/fake-worker.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';

/**
 * A store in a temporary folder, with its registry, for one test. Versions are put into it without a package, an
 * environment or, with a {@link FakeWorker}, Python. Everything that was opened of it ends with it.
 *
 * @example
 * ```ts
 * import { TemporaryStore } from 'procvision-runner/testing';
 *
 * await using store = await TemporaryStore.open();
 * await store.deploy({ version: '1.0.0' }); // the sample algorithm, run by the Python at hand
 * await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
 * const image = { data: new Uint8Array(12), width: 2, height: 2 };
 * const { data } = await store.supervise().execute({ productId: 'A01', stepIndex: 1, image });
 * console.log(data.result_status); // OK
 * ```
 */
export class TemporaryStore implements AsyncDisposable {
  /** Over the store, opened without waiting for the disk. */
  readonly registry: Registry;
  /** An empty folder beside the store, for whatever a test needs. */
  readonly folder: string;
  readonly #temporary: TemporaryFolder;
  /** What is to be closed before the registry, the last first. */
  readonly #opened: { close(): Promise<void> }[] = [];
  readonly #workers = new Set<FakeWorker>();
  #closed: Promise<void> | undefined;

  private constructor(temporary: TemporaryFolder, folder: string, registry: Registry) {
    this.#temporary = temporary;
    this.folder = folder;
    this.registry = registry;
  }

  /** Makes the folder and opens the registry. */
  static async open(options: RegistryOptions = {}): Promise<TemporaryStore> {
    const temporary = await temporaryFolder();
    try {
      const folder = path.join(temporary.path, 'beside');
      await mkdir(folder);
      const root = path.join(temporary.path, 'store');
      return new TemporaryStore(
        temporary,
        folder,
        await Registry.open(root, { durability: 'none', ...options }),
      );
    } catch (error) {
      await temporary[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where everything lies. */
  get layout(): StoreLayout {
    return this.registry.layout;
  }

  /** Absolute path of the store: what another host, in this process or another, opens. */
  get root(): string {
    return this.layout.root;
  }

  /**
   * Puts a version into the store and lists it as deployed: enough to be activated and run; a `Deployer` finds nothing to
   * verify in it. A worker that is given is closed with the store.
   *
   * @example
   * ```ts
   * await store.deploy({ version: '1.0.0', worker: new FakeWorker() });
   * await store.deploy({ version: '2.0.0', source: 'raise RuntimeError("no licence")' });
   * ```
   */
  async deploy(version: VersionSource = {}): Promise<RegistryEntry> {
    if (version.worker) this.#workers.add(version.worker);
    return deployVersion(this.registry, version);
  }

  /** Writes a package into `zips/`, as it is delivered, and gives its path. */
  async deliver(source: PackageSource = {}): Promise<string> {
    const { name = 'sample', version = '1.0.0' } = source;
    const file = path.join(this.layout.zips, `${name}-v${version}-offline.zip`);
    await writeFile(file, await buildPackage(source));
    return file;
  }

  /** A supervisor over the store, closed with it. */
  supervise(options: Omit<AlgorithmSupervisorOptions, 'registry'> = {}): AlgorithmSupervisor {
    const supervisor = new AlgorithmSupervisor({ ...options, registry: this.registry });
    this.#opened.push(supervisor);
    return supervisor;
  }

  /** A deployer over the store, closed with it. */
  deployer(options: Omit<DeployerOptions, 'registry'> = {}): Deployer {
    const deployer = new Deployer({ ...options, registry: this.registry });
    this.#opened.push(deployer);
    return deployer;
  }

  /** Closes what was opened of it, ends its workers and removes the folder. */
  close(): Promise<void> {
    return (this.#closed ??= this.#end());
  }

  /** See {@link TemporaryStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    for (const opened of this.#opened.reverse()) await opened.close();
    await Promise.all([...this.#workers].map((worker) => worker.close()));
    await this.registry.close();
    await this.#temporary[Symbol.asyncDispose]();
  }
}
