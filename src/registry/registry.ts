import { throwIfAborted, type OperationOptions } from '../abort.js';
import { checkStrings, isRecord } from '../arguments.js';
import { SafeEmitter } from '../emitter.js';
import type { ParameterSchema, ParameterValues } from '../parameters/types.js';
import type { ProcessIdentity } from '../process/identity.js';
import type { ProductIdList, ProductIdName } from '../product-ids.js';
import { showAs } from '../readable.js';
import type { Durability } from '../store/atomic-file.js';
import { StoreLayout } from '../store/layout.js';
import { isUnwritable } from '../store/errno.js';
import type { SwitchBack } from './barring.js';
import { OperatorChanges } from './changes.js';
import type { RegistryEvents } from './events.js';
import type { Guide, GuidePlace, GuideSource } from './guides.js';
import type { MappingChange } from './mappings.js';
import { copyOf, entryServing, findEntry, findMapping, isSame } from './mappings.js';
import { doors, type PolicyChange, type RegistryFilter, type RegistryOptions } from './options.js';
import type { ParamsChange } from './params.js';
import { policyOf } from './policies.js';
import type { RegistryDamage } from './rebuild.js';
import { enlist, removedAt } from './removed.js';
import type * as Loaded from './shared-content.js';
import type { ActiveMapping, MovedFiles, RegistryEntry } from './types.js';
import type { UnregisterOptions } from './unregister.js';
import type { VersionUse } from './uses.js';

export type { PolicyChange, RegistryOptions, RegistryFilter } from './options.js';

/**
 * What is deployed, and which version serves which product id. `registry.json` is the commit point of a store: what
 * it lists is complete, what it does not list is not there. Several processes may open one store.
 */
export class Registry extends SafeEmitter<RegistryEvents> {
  /** Where everything of the store lies on disk. */
  readonly layout: StoreLayout;
  /** How much its writes survive. */
  readonly durability: Durability;
  readonly #content: Loaded.SharedContent;
  readonly #logged: Loaded.LoggedChanges;
  readonly #changes: OperatorChanges;
  readonly #uses: typeof Loaded.uses;
  #damage: RegistryDamage | undefined;

  private constructor(
    layout: StoreLayout,
    given: ConstructorParameters<typeof Loaded.SharedContent>[1],
    loaded: typeof Loaded,
  ) {
    super();
    this.layout = layout;
    this.durability = given.durability;
    this.#uses = loaded.uses;
    this.#content = new loaded.SharedContent(layout, given, {
      changed: () => void this.emit('changed'),
      damaged: (damage) => {
        this.#damage = damage;
        this.emit('damaged', damage);
      },
      lost: (error) => void this.emit('storeLost', error),
      found: () => void this.emit('storeFound'),
    });
    this.#logged = new loaded.LoggedChanges(layout, this.#content);
    this.#changes = new OperatorChanges(this.#logged.whole, this);
    this.orders = new OperatorChanges(this.#logged.promised, this);
    showAs(this, 'Registry', () => ({ root: layout.root, ...this.#content.summary, damage: this.damage }));
  }

  /**
   * Opens the store at `root`, making its folders if need be.
   *
   * @throws RunnerError `invalid_params`, `store_failed` when the system refuses, `store_damaged` when a later version
   * of the library wrote it in a shape unknown to this one, `lock_timeout`, `aborted`
   */
  static async open(root: string | StoreLayout, options: RegistryOptions = {}): Promise<Registry> {
    // A layout by its shape: that of another copy of the library is no instance of this one's class.
    if (!isRecord(root) || !('deployed' in root)) checkStrings('Registry.open(root)', { root });
    doors().open.check(options);
    throwIfAborted(options.signal, 'open registry');
    const layout = typeof root === 'string' ? new StoreLayout(root) : root;
    const { durability = 'full', lockTimeoutMs = 30_000, pollMs = 500 } = options;
    const loaded = await import('./shared-content.js'); // with all that reads and writes
    const registry = new Registry(layout, { durability, lockTimeoutMs, pollMs }, loaded);
    try {
      await registry.#content.open({ signal: options.signal });
      return registry;
    } catch (error) {
      await registry.close();
      throw error;
    }
  }

  /** The last damage of `registry.json` that was repaired by this object, if any: also what `open` found. */
  get damage(): RegistryDamage | undefined {
    return this.#damage;
  }

  /** Deployed versions, in the order of their registration. A version that a live process uses is `running`. */
  async list(filter: RegistryFilter = {}, o: OperationOptions = {}): Promise<RegistryEntry[]> {
    doors().list.check(filter);
    doors().look.check(o);
    const { packages: all } = await this.#content.look(o);
    const named = all.filter((entry) => filter.name === undefined || entry.name === filter.name);
    const marked = await this.#uses.markedVersions(this.layout);
    const entries: RegistryEntry[] = [];
    for (const entry of named) {
      const isMarked = marked.has(`${entry.name}/${entry.version}`);
      entries.push(isMarked ? await this.#withState(entry) : structuredClone(entry));
    }
    return entries.filter((entry) => filter.state === undefined || entry.state === filter.state);
  }

  /**
   * One deployed version.
   * @throws RunnerError `invalid_params` for an argument of the wrong type
   */
  async get(name: string, version: string, o: OperationOptions = {}): Promise<RegistryEntry | undefined> {
    checkStrings('registry.get(name, version)', { name, version });
    doors().look.check(o);
    const entry = await this.listed(name, version, o);
    return entry && this.#withState(entry);
  }

  /** The same without the eight steps on the disk that ask who uses it. Not to be changed by the caller. @internal */
  async listed(
    name: string,
    version: string,
    o: OperationOptions = {},
  ): Promise<Readonly<RegistryEntry> | undefined> {
    const { packages } = await this.#content.look(o);
    return packages.find((found) => isSame(found, { name, version }));
  }

  /**
   * Binds product ids to a version: all of them or none.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `invalid_pid` for an id the version does not support,
   * `activation_conflict` (2006) for an id that another package serves
   */
  activate(o: MappingChange & OperationOptions): Promise<ActiveMapping[]> {
    return this.#changes.activate(o);
  }

  /**
   * Binds product ids to a version, also away from another package: all of them or none.
   * @throws RunnerError `invalid_params`, `not_found`, `invalid_pid`, `version_barred` for a version that an id was
   * taken back from
   */
  switch(o: MappingChange & OperationOptions): Promise<ActiveMapping[]> {
    return this.#changes.switch(o);
  }

  /**
   * Unbinds product ids: all of them or none.
   * @throws RunnerError `invalid_params`, `not_found` for an id that is not bound
   */
  deactivate(o: ProductIdList & { operator?: string } & OperationOptions): Promise<void> {
    return this.#changes.deactivate(o);
  }

  /**
   * Goes back to the version that served the product id before.
   * @throws RunnerError `invalid_params`, `not_found` when there is none
   */
  rollback(o: ProductIdName & { operator?: string } & OperationOptions): Promise<ActiveMapping> {
    return this.#changes.rollback(o);
  }

  /**
   * Goes back from a version that did not stand its trial, in one commit for all ids that it still serves and that have
   * an earlier version that is kept; the version is barred for them, with the reason.
   *
   * @throws RunnerError `not_found` when none of them has one
   */
  switchBack(o: SwitchBack & OperationOptions): Promise<ActiveMapping[]> {
    return this.#changes.switchBack(o);
  }

  /**
   * The same as the methods of these names, for a running line: each resolves when it is committed. The copies in `active/` and
   * the line in the audit log follow behind; {@link Registry.settled} and {@link Registry.close} wait for them.
   * @internal
   */
  readonly orders: OperatorChanges;

  /** Resolves when no change of this object is under way. @internal */
  settled(): Promise<void> {
    return this.#logged.settled();
  }

  /** Mappings by product id, in an object without a prototype. */
  async active(o: OperationOptions = {}): Promise<Record<string, ActiveMapping>> {
    doors().look.check(o);
    const { active } = await this.#content.look(o);
    return copyOf(active);
  }

  /**
   * The version that serves a product id. Reads nothing again that has not changed.
   * @throws RunnerError `invalid_params`, `not_found`
   */
  async resolve(productId: string, o: OperationOptions = {}): Promise<RegistryEntry> {
    checkStrings('registry.resolve(productId)', { productId });
    doors().look.check(o);
    return structuredClone(await this.serving(productId, o));
  }

  /** The same without a copy, for each call of a line. Not to be changed by the caller. @internal */
  async serving(productId: string, o: OperationOptions = {}): Promise<Readonly<RegistryEntry>> {
    return entryServing(await this.#content.look(o), productId);
  }

  /** The same without a wait; undefined where something has to be read first. @internal */
  servingNow(productId: string): Readonly<RegistryEntry> | undefined {
    const content = this.#content.lookNow();
    return content && entryServing(content, productId);
  }

  /**
   * What the steps of a version can be set to, as its `get_info()` or else its manifest declares it.
   *
   * @throws RunnerError `invalid_params`, `not_found`
   */
  async parameters(name: string, version: string, o: OperationOptions = {}): Promise<ParameterSchema> {
    checkStrings('registry.parameters(name, version)', { name, version });
    doors().look.check(o);
    const { step_indexes = [], steps } = findEntry(await this.#content.look(o), name, version);
    return { name, version, steps: structuredClone(steps) ?? step_indexes.map((index) => ({ index })) };
  }

  /**
   * Keeps parameters for a product id: its calls get them where they bring none of that name. They go with the product id to
   * another version that takes them, and a rollback brings back those of the version before.
   *
   * @throws RunnerError `invalid_params` with the path and the bound of each fault, `not_found`, `lock_timeout`,
   * `store_failed`, `aborted`
   */
  setParams(o: ParamsChange & OperationOptions): Promise<void> {
    return this.#changes.setParams(o);
  }

  /**
   * The parameters that are kept for a product id; empty where there are none.
   * @throws RunnerError `invalid_params`, `not_found` for an id that is not active
   */
  async params(productId: string, o: OperationOptions = {}): Promise<ParameterValues> {
    checkStrings('registry.params(productId)', { productId });
    doors().look.check(o);
    return structuredClone(findMapping(await this.#content.look(o), productId).params ?? {});
  }

  /** The parameters that are kept for a product id, as it was when the file was last looked at. Not to be changed. */
  paramsOf(productId: string): ParameterValues | undefined {
    return this.#content.known.active[productId]?.params;
  }

  /**
   * Registers the picture that those of a product id and step are compared with, where a request brings none.
   *
   * @throws RunnerError `invalid_params`, `invalid_image`, `lock_timeout`, `store_failed`, `aborted`
   */
  async setGuide(o: GuideSource & OperationOptions): Promise<Guide> {
    return (await this.#guides()).set(o);
  }

  /** The registered guide, if any. @throws RunnerError `invalid_params`; `store_damaged` when its pixels were changed on disk */
  async guide(productId: string, stepIndex: number, o: OperationOptions = {}): Promise<Guide | undefined> {
    return (await this.#guides()).get(productId, stepIndex, o);
  }

  /** Takes a guide away. @throws RunnerError `invalid_params`, `not_found`, `lock_timeout`, `store_failed`, `aborted` */
  async removeGuide(o: GuidePlace & OperationOptions): Promise<void> {
    await (await this.#guides()).remove(o);
  }

  /**
   * Lists a version as deployed: the last step of an install. An entry of the same name and version goes; the new one
   * comes last in the list, as the newest there is. `files` of the version that move into their place with it do so in
   * the same change, in which no use of the version can begin.
   *
   * @throws RunnerError `version_in_use` with `files`: while the version that goes is used, or an id needs what it has
   */
  async register(
    entry: RegistryEntry,
    o: OperationOptions & { operator?: string; files?: MovedFiles } = {},
  ): Promise<void> {
    const { name, version } = entry;
    await this.#content.change(`register ${name} ${version}`, o, async (content) => {
      await enlist(content, entry, o.files && (() => this.users(name, version)));
    });
    this.emit('registered', entry);
  }

  /**
   * Takes a version off the list: the first step of an uninstall. With `force` its mappings go with it; with
   * `spareRollback` it stays when a rollback would go back to it. No use of it can begin at the same time. With
   * `dryRun` it is only checked.
   *
   * @throws RunnerError `not_found`; `unsafe_uninstall` (2007) while it is active or a live process uses it, unless
   * forced
   */
  async unregister(name: string, version: string, o: UnregisterOptions = {}): Promise<void> {
    const { unregister } = await import('./unregister.js');
    const users = () => this.users(name, version);
    const unbound = await unregister(this, this.#content, { name, version }, o, users);
    if (unbound.length > 0) this.emit('deactivated', unbound);
    if (!o.dryRun) this.emit('unregistered', { name, version });
  }

  /**
   * Keeps a policy for a version in the store, in place of what was set before; an empty one takes it away. What the
   * options mean is the supervisor's to say: see {@link AlgorithmSupervisor.configure}.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `lock_timeout`, `store_failed`, `aborted`
   */
  configure(o: PolicyChange & OperationOptions): Promise<void> {
    return this.#changes.configure(o);
  }

  /** The policy that is kept for a version, as it was when the file was last looked at; undefined where there is none. */
  policyOf(name: string, version: string): Readonly<Record<string, unknown>> | undefined {
    return policyOf(this.#content.known, { name, version });
  }

  /** When the version of a package (SHA-256, hex) was removed, unless it was deployed again: Unix time in ms. @internal */
  removedAt(sha256: string): number | undefined {
    return removedAt(this.#content.known, sha256);
  }

  /** Product ids that a version serves, as it was when the file was last looked at. */
  productIdsOf(name: string, version: string): string[] {
    const mappings = Object.values(this.#content.known.active);
    return mappings.filter((mapping) => isSame(mapping, { name, version })).map(({ pid }) => pid);
  }

  /**
   * Marks a version as in use by this process, until released or dead. Under the store's lock, for a moment: an uninstall
   * and a replacement look for marks and remove the version under the same lock, so that a version in use exists and
   * stays. On a store that cannot be written (read-only, full) the version is used without a mark, which the event
   * `unmarked` reports, and is marked as soon as that is possible.
   *
   * @throws RunnerError `invalid_params`, `not_found`, `lock_timeout`, `store_failed`, `aborted`
   */
  async use(name: string, version: string, o: OperationOptions = {}): Promise<VersionUse> {
    checkStrings('registry.use(name, version)', { name, version });
    findEntry(await this.#content.look(o), name, version); // of what is not there nobody need wait for the lock
    let use: VersionUse | undefined;
    try {
      return await this.#content.exclusive(`use ${name} ${version}`, o, async (content) => {
        findEntry(content, name, version);
        return (use = await this.#uses.markUse(this.layout, name, version));
      });
    } catch (error) {
      await use?.release();
      if (!isUnwritable(error)) throw error;
      this.emit('unmarked', { name, version, error: error as Error });
      return this.#uses.markUseLater(this.layout, name, version);
    }
  }

  /**
   * Live processes that use a version, on this host or another.
   * @throws RunnerError `invalid_params` for an argument of the wrong type, `store_failed` where it cannot be seen
   */
  async users(name: string, version: string, o: OperationOptions = {}): Promise<ProcessIdentity[]> {
    checkStrings('registry.users(name, version)', { name, version });
    throwIfAborted(o.signal, 'look-up');
    return this.#uses.usersOf(this.layout, name, version);
  }

  /**
   * Removes what a process that died in the middle of a change left: its lock, files half written, copies of mappings
   * not written, marks of use. While another process holds the registry nothing is done about that: it is that one's turn.
   */
  async sweep(o: OperationOptions = {}): Promise<void> {
    await this.#content.sweep(o);
    await this.#uses.sweepUses(this.layout);
  }

  /** Stops looking for changes, and waits for what is under way. */
  async close(): Promise<void> {
    await this.#content.close();
    await this.#logged.settled();
  }

  /** See {@link Registry.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #guides() {
    const { GuideRegister } = await import('./guide-register.js');
    return new GuideRegister(this.layout, this.durability, this.#logged);
  }

  async #withState(entry: RegistryEntry): Promise<RegistryEntry> {
    const copy = structuredClone(entry);
    if (await this.#uses.isUsed(this.layout, entry)) copy.state = 'running';
    return copy;
  }
}
