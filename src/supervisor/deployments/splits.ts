import { isSame } from '../../registry/mappings.js';
import type { VersionRef } from '../../package/types.js';
import type { ParameterValues } from '../../parameters/types.js';
import type { Deployment } from './deployment.js';

/** 2^32 divided by the golden ratio, made odd: the step visits each of the 2^32 places once before it comes back. */
const GOLDEN_STEP = 0x9e3779b9;
const PLACES = 2 ** 32;
/** Sessions that are remembered; the ones used longest ago are forgotten first. */
const MOST_SESSIONS = 10_000;

/**
 * Spreads a share over numbered units: no chance, and so no bursts. Each unit moves one golden step on around a circle, and
 * counts when it lands in the first `share` of it (a Kronecker sequence). Any stretch of units has close to its share, and,
 * other than with each tenth unit, so has each step of boards with ten steps.
 */
export class Spread {
  #place = 0;

  /** Whether the next unit is of the share; the first is. */
  next(share: number): boolean {
    const isOfShare = this.#place < share * PLACES;
    this.#place = (this.#place + GOLDEN_STEP) >>> 0;
    return isOfShare;
  }
}

/** Where a session was before. */
interface SessionPlaces {
  /** Whether a session had a call there. */
  hasBeenAt(id: string, deployment: Deployment): boolean;
}

/** A share of the calls of one product id goes to a canary, the others to the version that is mapped. */
export class Split {
  /** The canary. */
  readonly deployment: Deployment;
  /** The version that is mapped, as long as this holds. */
  readonly base: VersionRef;
  /** Parameters that the product id is to have with the canary. @defaultValue those that are kept */
  readonly params: ParameterValues | undefined;
  /** Share of the units, 0 to 1. */
  share: number;
  readonly #spread = new Spread();
  /** Whether each session is with the canary. */
  readonly #sessions: Map<string, boolean>;

  /** @param before - a split to the same deployment: its sessions stay where they are */
  constructor(
    o: { deployment: Deployment; base: VersionRef; params: ParameterValues | undefined; share: number },
    before?: Split,
  ) {
    this.deployment = o.deployment;
    this.base = { name: o.base.name, version: o.base.version };
    this.params = o.params;
    this.share = o.share;
    this.#sessions = before?.deployment === o.deployment ? before.#sessions : new Map<string, boolean>();
  }

  /**
   * Where the next call goes. A unit is a call, or all calls of a session: what an algorithm keeps of a session is at one
   * version alone. Nobody waits for a canary that starts anew, except the sessions that are there.
   */
  take(session: string | undefined, wasAtBase: (session: string) => boolean): 'base' | 'canary' | 'session' {
    const { pool, isReady, isEnding } = this.deployment;
    if (isEnding) return 'base';
    const isServing = isReady && pool.ready !== undefined && pool.circuit === 'closed';
    if (session === undefined) return isServing && this.#spread.next(this.share) ? 'canary' : 'base';
    const known = this.#sessions.get(session);
    const goes = known ?? (isServing && !wasAtBase(session) && this.#spread.next(this.share));
    this.#pin(session, goes);
    return known === true ? 'session' : goes ? 'canary' : 'base';
  }

  /** A session whose first call failed at the canary goes on with the version that is mapped. */
  leave(session: string | undefined): void {
    if (session !== undefined) this.#pin(session, false);
  }

  #pin(session: string, goes: boolean): void {
    this.#sessions.delete(session); // to be the last in order
    this.#sessions.set(session, goes);
    if (this.#sessions.size <= MOST_SESSIONS) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }
}

/** The splits that hold now, by product id. */
export class SplitTable {
  readonly #splits = new Map<string, Split>();
  readonly #sessions: SessionPlaces;

  constructor(sessions: SessionPlaces) {
    this.#sessions = sessions;
  }

  /** Of a call that is about none, this is all it costs. */
  get isEmpty(): boolean {
    return this.#splits.size === 0;
  }

  get(productId: string): Split | undefined {
    return this.#splits.get(productId);
  }

  set(productId: string, split: Split): void {
    this.#splits.set(productId, split);
  }

  /** Only the split that is given: a newer one of the id stays. */
  remove(productId: string, split: Split): void {
    if (this.#splits.get(productId) === split) this.#splits.delete(productId);
  }

  /**
   * The split whose canary the next call of a product id goes to; undefined where it goes to the version that is mapped.
   *
   * @param mapped - looked up for this call: a split from another version holds no more
   * @param standing - the deployment of that version, if it is started
   */
  take(
    { productId = '', session }: { productId?: string | undefined; session?: { id?: string } | undefined },
    mapped: VersionRef,
    standing: Deployment | undefined,
  ): { split: Split; isFirst: boolean } | undefined {
    const split = this.#splits.get(productId);
    if (!split || !isSame(split.base, mapped)) return undefined;
    const wasAtBase = (id: string) => standing !== undefined && this.#sessions.hasBeenAt(id, standing);
    const place = split.take(session?.id, wasAtBase);
    return place === 'base' ? undefined : { split, isFirst: place === 'canary' };
  }
}
