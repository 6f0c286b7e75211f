import { RunnerError } from '../../../src/errors.js';
import type { PackageBytesPort, StationPort } from '../../../src/fleet/ports.js';
import type { Life } from './life.js';
import type { World } from './world.js';

/** How a version turns out, wherever it is deployed. */
export type Quality = 'good' | 'broken' | 'flaky' | 'nowhere' | 'swapped' | 'unsigned';

/** The packages that there are. */
export type Catalogue = ReadonlyMap<string, { digest: string; quality: Quality }>;

interface Mapping {
  ref: string;
  since: number;
  /** On the clock of the world; a version that serves for good has none. */
  trialEndsAt: number | undefined;
  /** Earlier versions, newest first. */
  history: string[];
}

/** What is said of a fault of the agent: the run ends with it. */
export class Violation extends Error {}

/** Store and supervisor of one station: what is deployed and which version serves is on the disk, and survives the process. */
export class SimStation {
  readonly name: string;
  readonly #world: World;
  readonly #catalogue: Catalogue;
  readonly deployed = new Map<string, string>();
  readonly serving = new Map<string, Mapping>();
  /** Versions that failed their trial here. */
  readonly failedTrials = new Set<string>();
  /** Product ids that a bar left without a version. */
  readonly left = new Set<string>();
  locks: string[] = [];
  /** Asked at each switch: may it be? */
  onSwitch: (ref: string, products: readonly string[]) => void = () => undefined;
  onBack: (ref: string) => void = () => undefined;
  /** Share of ways back and installs that fail once. */
  moodiness = 0;
  #failures = 0;
  #orders = new Map<string, number>();
  #order = 0;
  #listener: () => void = () => undefined;

  constructor(name: string, world: World, catalogue: Catalogue) {
    this.name = name;
    this.#world = world;
    this.#catalogue = catalogue;
  }

  /** As it was set up by hand, before there was a fleet. */
  setUp(product: string, ref: string): void {
    this.deployed.set(ref, this.#catalogue.get(ref)?.digest ?? '');
    this.serving.set(product, { ref, since: 0, trialEndsAt: undefined, history: [] });
  }

  port(life: Life): StationPort {
    const world = this.#world;
    const quick = () => world.between(1, 20);
    this.#listener = () => undefined;
    return {
      deployed: (o) =>
        life.call(quick(), () => [...this.deployed].map(([ref, digest]) => ({ ...partsOf(ref), digest })), o),
      serving: (o) =>
        life.call(
          quick(),
          () =>
            Object.fromEntries(
              [...this.serving].map(([product, { ref, trialEndsAt }]) => [
                product,
                { ...partsOf(ref), isOnTrial: trialEndsAt !== undefined },
              ]),
            ),
          o,
        ),
      install: (fetched, wanted, o) =>
        life.call(
          world.between(500, 8_000),
          () => {
            const ref = `${wanted.name}@${wanted.version}`;
            this.#fail();
            if (this.#catalogue.get(ref)?.quality === 'unsigned')
              throw new RunnerError('invalid_zip', `${fetched.zip} is not signed`, {
                details: { path: fetched.zip },
              });
            this.deployed.set(ref, wanted.digest);
            world.tell(`${this.name} installed ${ref}`);
          },
          o,
        ),
      switch: ({ name, version, productIds, signal }) => {
        const ref = `${name}@${version}`;
        this.onSwitch(ref, productIds);
        const order = ++this.#order;
        for (const product of productIds) this.#orders.set(product, order);
        return life.call(
          world.between(200, 6_000),
          () => {
            this.#moveTo(ref, productIds, order, life);
          },
          { signal },
        );
      },
      back: ({ name, version, productIds, quarantined, signal }) => {
        const ref = `${name}@${version}`;
        this.onBack(ref);
        const order = ++this.#order;
        for (const product of productIds)
          if (this.serving.get(product)?.ref === ref) this.#orders.set(product, order);
        return life.call(
          world.between(20, 300),
          () => {
            this.#fail();
            return this.#takeBack(ref, productIds, new Set(quarantined));
          },
          { signal },
        );
      },
      uninstall: (name, version, o) =>
        life.call(
          quick(),
          () => {
            const ref = `${name}@${version}`;
            const isUsed = [...this.serving.values()].some(
              (one) => one.ref === ref || one.history[0] === ref,
            );
            if (isUsed)
              throw new RunnerError('unsafe_uninstall', `${ref} is in use`, { details: { name, version } });
            this.deployed.delete(ref);
          },
          o,
        ),
      locks: (o) => life.call(quick(), () => [...this.locks], o),
      calls: (o) => life.call(quick(), () => ({}), o),
      onChange: (listener) => {
        this.#listener = () => {
          if (life.isAlive) listener();
        };
        return () => {
          this.#listener = () => undefined;
        };
      },
    };
  }

  bytes(life: Life, sources: () => boolean): PackageBytesPort {
    return {
      fetch: async (wanted, o) => {
        const ref = `${wanted.name}@${wanted.version}`;
        const known = this.#catalogue.get(ref);
        o?.onProgress?.({ doneBytes: 1, totalBytes: 10, fetchedBytes: 1 });
        return life.call(
          this.#world.between(100, 15_000),
          () => {
            const { name, version } = wanted;
            if (!sources()) throw new RunnerError('unreachable', `no source of ${ref} answers`);
            if (!known || known.quality === 'nowhere')
              throw new RunnerError('source_missing', `no source has ${ref}`, { details: { name, version } });
            if (known.quality === 'swapped' || known.digest !== wanted.digest)
              throw new RunnerError('digest_mismatch', `${ref} is something else`, {
                details: { name, version },
              });
            return {
              ...{ zip: `${ref}.zip`, fetchedBytes: 10, reusedBytes: 90 },
              release: () => life.call(1, () => undefined),
            };
          },
          { signal: o?.signal },
        );
      },
    };
  }

  /** Fails now and then, at most three times in a row. */
  #fail(): void {
    this.#failures = this.#failures < 3 && this.#world.chance(this.moodiness) ? this.#failures + 1 : 0;
    if (this.#failures > 0) throw new RunnerError('store_failed', 'EIO: i/o error');
  }

  #moveTo(ref: string, products: readonly string[], order: number, life: Life): void {
    if (products.some((product) => this.#orders.get(product) !== order)) {
      throw new RunnerError('superseded', `a newer order came before the switch to ${ref}`, {
        details: { productIds: [...products], by: 'back' },
      });
    }
    const details = { ...partsOf(ref), productIds: [...products], reason: 'failed its trial' };
    if (!this.deployed.has(ref)) throw new RunnerError('not_found', `${ref} is not deployed`);
    if (this.failedTrials.has(ref))
      throw new RunnerError('version_barred', `${ref} failed its trial`, { details });
    const quality = this.#catalogue.get(ref)?.quality;
    if (quality === 'broken') throw new RunnerError('start_failed', `${ref} does not start`);
    const trialMs = this.#world.between(5_000, 60_000);
    for (const product of products) {
      const before = this.serving.get(product);
      const history = before ? [before.ref, ...before.history.filter((one) => one !== before.ref)] : [];
      this.#serve(product, { ref, since: this.#world.now, trialEndsAt: this.#world.now + trialMs, history });
      this.#world.after(trialMs, () => {
        this.#endTrial(product, ref, quality === 'flaky');
      });
    }
    this.#world.tell(`${this.name} serves ${products.join()} by ${ref}${life.isAlive ? '' : ' (dead)'}`);
  }

  #endTrial(product: string, ref: string, hasFailed: boolean): void {
    const mapping = this.serving.get(product);
    if (mapping?.ref !== ref || mapping.trialEndsAt === undefined || mapping.trialEndsAt > this.#world.now)
      return;
    mapping.trialEndsAt = undefined;
    if (hasFailed) {
      this.failedTrials.add(ref);
      const [to, ...history] = mapping.history.filter((one) => this.deployed.has(one));
      this.#world.tell(`${this.name}: ${ref} failed its trial, ${product} goes back to ${to ?? 'nothing'}`);
      if (to !== undefined)
        this.#serve(product, { ref: to, since: this.#world.now, trialEndsAt: undefined, history });
    }
    this.#listener();
  }

  #takeBack(
    ref: string,
    products: readonly string[],
    quarantined: ReadonlySet<string>,
  ): { to: Record<string, string>; left: string[] } {
    const to: Record<string, string> = {};
    const left: string[] = [];
    for (const product of products) {
      const mapping = this.serving.get(product);
      if (mapping?.ref !== ref) continue;
      const [back, ...history] = mapping.history.filter(
        (one) => this.deployed.has(one) && !quarantined.has(one) && !this.failedTrials.has(one),
      );
      if (back === undefined) {
        this.serving.delete(product);
        this.left.add(product);
        left.push(product);
      } else {
        to[product] = back;
        this.#serve(product, { ref: back, since: this.#world.now, trialEndsAt: undefined, history });
      }
      this.#world.tell(`${this.name}: ${product} back from ${ref} to ${back ?? 'nothing'}`);
    }
    this.#listener();
    return { to, left };
  }

  #serve(product: string, mapping: Mapping): void {
    this.serving.set(product, mapping);
    this.left.delete(product);
    this.#listener();
  }
}

function partsOf(ref: string): { name: string; version: string } {
  const at = ref.lastIndexOf('@');
  return { name: ref.slice(0, at), version: ref.slice(at + 1) };
}
