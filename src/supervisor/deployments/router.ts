import { RunnerError } from '../../errors.js';
import type { ParameterValues } from '../../parameters/types.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { VersionRef } from '../../package/types.js';
import type { Deployment } from './deployment.js';
import type { DeploymentTable, DeploymentLease } from './deployment-table.js';
import { LaneOrder } from './lane-order.js';
import type { SplitTable } from './splits.js';
import type { InspectionRequest } from '../types.js';
import type { VersionPolicies } from '../version-policies.js';
import { isSameDeployment } from '../../registry/same-deployment.js';

/** What a request says of where it goes. */
type RoutedBy = Pick<InspectionRequest, 'productId' | 'target' | 'session'>;

/** How a request is routed. */
interface RouteOptions {
  /** To the version that is mapped, whatever share a canary has. @defaultValue false */
  isPastCanary?: boolean;
}

/** Finds the version that a request is for, and the deployment that serves it. */
export class Router {
  readonly #registry: Registry;
  readonly #table: DeploymentTable;
  readonly #policies: VersionPolicies;
  readonly #splits: SplitTable;
  /** Calls for one version, or one product id, come to their deployment in the order in which they were made. */
  readonly #inOrder = new LaneOrder();
  /** Requests that may have seen a mapping and do not yet count on a deployment. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** Requests that had to wait here and are not in the line of their deployment yet, by lane. */
  readonly #late = new Map<string, number>();

  constructor(o: {
    registry: Registry;
    table: DeploymentTable;
    policies: VersionPolicies;
    splits: SplitTable;
  }) {
    this.#registry = o.registry;
    this.#splits = o.splits;
    this.#table = o.table;
    this.#policies = o.policies;
  }

  /**
   * The same as {@link Router.route} without a wait; undefined where something has to be read or waited for first, or where an
   * earlier request of the lane waits.
   */
  routeNow(request: RoutedBy, o?: RouteOptions): DeploymentLease | undefined {
    const { productId, target } = request;
    if (this.#late.size > 0 && this.#late.has(laneOf({ productId, target }))) return undefined;
    const entry = target ?? this.#registry.servingNow(productId ?? '');
    const deployment = entry && this.#table.find(entry.name, entry.version);
    // Before its share is counted: what is decided by route() would be counted twice.
    if (!deployment || (!target && !isSameDeployment(deployment.entry, entry as RegistryEntry)))
      return undefined;
    const canary = this.#splits.isEmpty ? undefined : this.#canaryOf(request, entry, deployment, o);
    if (canary) return canary;
    if (!target && productId !== undefined) deployment.servedPids.add(productId);
    return { deployment, release: deployment.retain(), kept: this.#keptFor(request) };
  }

  /** A request goes by {@link Router.route}: later ones of its lane do too, until it calls the answer. */
  holdLane(request: RoutedBy): () => void {
    const lane = laneOf(request);
    this.#late.set(lane, (this.#late.get(lane) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const count = (this.#late.get(lane) ?? 1) - 1;
      if (count > 0) this.#late.set(lane, count);
      else this.#late.delete(lane);
    };
  }

  /**
   * The deployment a request goes to, retained. A product id is looked up in the registry for every call: that is what a
   * switch, also by another process, changes.
   *
   * @throws RunnerError `not_found`, `not_initialized` when it is not started and may not be by a call
   */
  route(request: RoutedBy, o?: RouteOptions): Promise<DeploymentLease> {
    const found = this.#inOrder.run(laneOf(request), () => this.#find(request, o));
    this.#underWay.add(found);
    const done = () => this.#underWay.delete(found);
    found.then(done, done);
    return found.then(({ lease }) => lease);
  }

  /** Resolves when every request that was on its way here counts on its deployment. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /**
   * Looks the version up and asks for its deployment. The answer is wrapped: a deployment that is retained at once counts
   * from here on, and the end of another that is being stopped is not waited for in here.
   */
  async #find(request: RoutedBy, o?: RouteOptions): Promise<{ lease: Promise<DeploymentLease> }> {
    const { productId, target } = request;
    const started = target && this.#table.find(target.name, target.version);
    if (started) return { lease: Promise.resolve({ deployment: started, release: started.retain() }) };
    const entry = await this.#look(request);
    let kept = this.#keptFor(request);
    const { name, version } = entry;
    const canary = this.#canaryOf(request, entry, this.#table.find(name, version), o);
    if (canary) return { lease: Promise.resolve(canary) };
    this.#checkStart(entry);
    const again = async () => {
      const next = await this.#look(request);
      kept = this.#keptFor(request);
      this.#checkStart(next);
      return next;
    };
    const lease = this.#table.obtain(entry, undefined, undefined, again).then((one) => {
      if (!target && productId !== undefined) one.deployment.servedPids.add(productId);
      return { ...one, kept };
    });
    lease.catch(() => undefined); // the caller of route() gets it
    return { lease };
  }

  /** The canary that a request goes to, retained; undefined where it goes to the version that is mapped. */
  #canaryOf(
    request: RoutedBy,
    mapped: VersionRef,
    standing: Deployment | undefined,
    { isPastCanary = false }: RouteOptions = {},
  ): DeploymentLease | undefined {
    if (request.target || isPastCanary) return undefined;
    const canary = this.#splits.take(request, mapped, standing);
    const deployment = canary?.split.deployment;
    return deployment && { deployment, release: deployment.retain(), kept: this.#keptFor(request), canary };
  }

  /** Looked up with the mapping: a switch may bring others, which are for the version that comes. */
  #keptFor({ productId, target }: RoutedBy): ParameterValues | undefined {
    return productId === undefined || target ? undefined : this.#registry.paramsOf(productId);
  }

  /** The version that a request is for. @throws RunnerError `not_found` */
  async #look({ productId, target }: RoutedBy): Promise<Readonly<RegistryEntry>> {
    return target ? this.entry(target.name, target.version) : this.#registry.serving(productId ?? '');
  }

  /** @throws RunnerError `not_initialized` for a version that is not started and may not be by a call */
  #checkStart(entry: Readonly<RegistryEntry>): void {
    const { name, version } = entry;
    if (this.#table.find(name, version) || this.#policies.of(entry).policy.lazyStart) return;
    throw new RunnerError(
      'not_initialized',
      `${name} ${version} is not started, and calls are not to start it (lazyStart is off): call start() first`,
      { details: { name, version } },
    );
  }

  /** @throws RunnerError `not_found` */
  async entry(name: string, version: string): Promise<Readonly<RegistryEntry>> {
    const entry = await this.#registry.listed(name, version);
    if (entry) return entry;
    throw new RunnerError('not_found', `${name} ${version} is not deployed: install it first`, {
      details: { name, version },
    });
  }
}

function laneOf({ productId, target }: RoutedBy): string {
  return JSON.stringify(target ? [target.name, target.version] : [productId]);
}
