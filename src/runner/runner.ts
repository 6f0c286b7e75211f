import { throwIfAborted, type OperationOptions } from '../abort.js';
import { checkStrings } from '../arguments.js';
import { useAssets } from '../assets.js';
import { Deployer } from '../deploy/deployer.js';
import { RunnerError } from '../errors.js';
import { FramePool } from '../frames/frame-pool.js';
import type { ImageInput } from '../frames/types.js';
import { describe } from '../options.js';
import { VenvManager } from '../python/venv-manager.js';
import { showAs } from '../readable.js';
import { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import type { StoreLayout } from '../store/layout.js';
import { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { StartActiveOptions, StartReport } from '../supervisor/start-active.js';
import type { InspectionResult } from '../supervisor/types.js';
import { PackageValidator } from '../validation/package-validator.js';
import { checkDoctorOptions } from './diagnosis.js';
import { doors, isPicture } from './options.js';
import type {
  DoctorOptions,
  EnsureOptions,
  Finding,
  HealthReport,
  InspectCallOptions,
  PackageSource,
  RunnerOptions,
  RunnerParts,
} from './types.js';

/**
 * Everything of a station in one object: the parts are composed as they belong together, closed in the right order, and
 * none is hidden. {@link openRunner} makes one.
 */
export class Runner implements RunnerParts, AsyncDisposable {
  /** What is deployed, and which version serves which product id. */
  readonly registry: Registry;
  /** Takes packages into the store and out of it. */
  readonly deployer: Deployer;
  /** Tells what a package is and every fault it has. */
  readonly validator: PackageValidator;
  /** Interpreters and environments. */
  readonly venvs: VenvManager;
  /** Runs what is deployed. */
  readonly supervisor: AlgorithmSupervisor;
  /** Where images go. */
  readonly frames: FramePool;
  #closed: Promise<void> | undefined;

  /** From parts that belong together; they are the runner's from now on, and close with it. */
  constructor({ registry, deployer, validator, venvs, supervisor, frames }: RunnerParts) {
    this.registry = registry;
    this.deployer = deployer;
    this.validator = validator;
    this.venvs = venvs;
    this.supervisor = supervisor;
    this.frames = frames;
    showAs(this, 'Runner', () => ({
      ...{ root: registry.layout.root, registry, deployer, validator, venvs, supervisor, frames },
      closed: this.#closed !== undefined,
    }));
  }

  /**
   * Makes sure that a package is installed: the version that is deployed from these very bytes is left as it is; anything
   * else is installed. Bytes and streams are kept in `zips/`. An unpacked project folder is packed on the spot, and its entry
   * has `origin: 'local'`.
   *
   * @throws RunnerError as {@link Deployer.install}: `already_installed` for a version that is deployed from other bytes, unless
   * forced; `invalid_zip` for a folder where `validator.integrity` is strict; with `activate` as
   * {@link Registry.activate}
   */
  async ensureInstalled(source: PackageSource, o: EnsureOptions = {}): Promise<RegistryEntry> {
    this.#checkOpen('ensureInstalled');
    doors().ensure.check(o);
    throwIfAborted(o.signal, 'install');
    const { ensureInstalled } = await import('./ensure-installed.js');
    return ensureInstalled(this, source, o);
  }

  /**
   * Inspects one image, or the picture of a file (JPEG or PNG), for a product id: `preExecute` and `execute` of the phased
   * generation in one session, `execute` alone of the other. What `preExecute` answers with status ERROR is the result.
   *
   * @typeParam Data - as of {@link AlgorithmSupervisor.execute}
   * @typeParam Params - as of {@link AlgorithmSupervisor.execute}
   * @throws RunnerError `invalid_params`, `invalid_image` for a file that is no picture, and as {@link AlgorithmSupervisor.execute}
   */
  async inspect<Data = unknown, Params extends object = Record<string, unknown>>(
    productId: string,
    image: ImageInput | string,
    o: InspectCallOptions<Params> = {},
  ): Promise<InspectionResult<Data>> {
    this.#checkOpen('inspect');
    checkStrings('runner.inspect(productId, image)', { productId });
    if (!isPicture(image)) {
      throw new RunnerError(
        'invalid_params',
        `runner.inspect(productId, image): image must be an image or the path of a picture, not ${describe(image)}`,
        { details: { path: 'image' } },
      );
    }
    doors().inspect.check(o);
    throwIfAborted(o.signal, 'inspection');
    const { inspectPicture } = await import('./inspect-picture.js');
    return inspectPicture(this, productId, image, o as InspectCallOptions) as Promise<InspectionResult<Data>>;
  }

  /** Starts every version that serves a product id: {@link AlgorithmSupervisor.startActive}. */
  startActive(o: StartActiveOptions = {}): Promise<StartReport> {
    return this.supervisor.startActive(o);
  }

  /** Whether the store can be read and each active version answers calls. @throws RunnerError `invalid_params`, `aborted` */
  async health(o: OperationOptions = {}): Promise<HealthReport> {
    doors().look.check(o);
    throwIfAborted(o.signal, 'look at the health');
    const { healthOf } = await import('./health.js');
    return healthOf(this, { ...o, isOpen: this.#closed === undefined });
  }

  /**
   * Makes every check of {@link doctor} with the parts of this runner, and looks at its workers too. `name` and `version` of the
   * options look at one version.
   *
   * @throws RunnerError as {@link doctor}, `closed`
   */
  async explain(o: DoctorOptions = {}): Promise<Finding[]> {
    this.#checkOpen('explain');
    checkDoctorOptions(o);
    const { examine } = await import('./examine.js');
    const { registry, venvs, validator, supervisor } = this;
    // Its own limits and interpreters hold for packages too, unless the call names others.
    const isAsOwn = o.python === undefined && o.integrity === undefined;
    const python = o.python ?? venvs.given?.slice();
    const own = {
      python,
      integrity: o.integrity ?? validator.integrity,
      frames: o.frames ?? this.frames.given,
    };
    return examine(registry.layout, { ...o, ...own }, { supervisor, ...(isAsOwn && { validator }) });
  }

  /** Closes every part: calls first, then what they work with. All of them are closed also when one fails to. */
  close(): Promise<void> {
    return (this.#closed ??= closeAll([this.supervisor, this.frames, this.deployer, this.registry]));
  }

  /** See {@link Runner.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(call: string): void {
    if (this.#closed) throw new RunnerError('closed', `The runner was closed before ${call}`);
  }
}

/**
 * Opens the store at `root`, making its folders if need be, and composes everything over it. `close()` of the runner closes it
 * all.
 *
 * @throws RunnerError `invalid_params` before anything is opened, and as {@link Registry.open}
 */
export async function openRunner(root: string | StoreLayout, o: RunnerOptions = {}): Promise<Runner> {
  doors().open.check(o);
  useAssets(o.assets);
  const venvs = new VenvManager({ ...o.venvs, installer: o.venvs?.installer ?? 'link' });
  const validator = new PackageValidator({ ...o.validator, venvs });
  const { uid, gid = uid } = o.supervisor?.policy ?? {};
  const frames = new FramePool({ ...o.frames, gid: o.frames?.gid ?? gid }); // the group that workers read them by
  const registry = await Registry.open(root, { ...o.registry, signal: o.signal });
  const opened: Closable[] = [registry, frames];
  try {
    const deployer = new Deployer({ ...o.deployer, registry, venvs, validator });
    opened.unshift(deployer);
    const supervisor = new AlgorithmSupervisor({ ...o.supervisor, registry, frames, outbox: o.outbox });
    return new Runner({ registry, deployer, validator, venvs, supervisor, frames });
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

interface Closable {
  close: () => Promise<void>;
}

/** One after the other, however each ends. @throws the first failure */
async function closeAll(parts: readonly Closable[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) await part.close().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0] as Error;
}
