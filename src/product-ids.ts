import { RunnerError } from './errors.js';

/**
 * Product ids of a call. `pids` is the deprecated name of `productIds`. Where both are given they must name the same ids, in any
 * order: else the call is refused with `invalid_params`.
 */
export type ProductIdList =
  | {
      /** Product ids. */
      productIds: string[];
      /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
      pids?: string[] | undefined;
    }
  | {
      /** Product ids. */
      productIds?: undefined;
      /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
      pids: string[];
    };

/**
 * The product id of a call. `pid` is the deprecated name of `productId`. Where both are given they must be equal: else the call is
 * refused with `invalid_params`.
 */
export type ProductIdName =
  | {
      /** The product id. */
      productId: string;
      /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
      pid?: string | undefined;
    }
  | {
      /** The product id. */
      productId?: undefined;
      /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
      pid: string;
    };

/** What a caller may have given. */
interface GivenList {
  productIds?: unknown;
  pids?: unknown;
}

interface GivenId {
  productId?: unknown;
  pid?: unknown;
}

/** The product ids of a call, each once. @throws RunnerError `invalid_params` */
export function productIdsOf(call: string, given: GivenList): string[] {
  const ids = givenProductIds(call, given);
  if (ids && ids.length > 0) return ids;
  const { productIds, pids } = given;
  const path = nameOf('productIds', productIds, 'pids', pids);
  throw invalid(
    call,
    path,
    ids ? 'must be a list of at least one product id, each a string' : 'must be given',
  );
}

/** The same where they may be left out: undefined then. @throws RunnerError `invalid_params` */
export function givenProductIds(call: string, { productIds, pids }: GivenList): string[] | undefined {
  const lists = [
    ['productIds', productIds],
    ['pids', pids],
  ] as const;
  const [first, second] = lists.flatMap(([path, value]) => {
    if (value === undefined) return [];
    if (isList(value)) return [[...new Set(value)]];
    throw invalid(call, path, 'must be a list of at least one product id, each a string');
  });
  if (!first || !second) return first;
  if (first.length === second.length && second.every((id) => first.includes(id))) return first;
  throw bothDiffer(call, 'pids', 'productIds');
}

/** The product id of a call. @throws RunnerError `invalid_params` */
export function productIdOf(call: string, given: GivenId): string {
  const { productId, pid } = given;
  const id = productId ?? pid;
  if (typeof id === 'string') {
    checkOneId(call, given);
    return id;
  }
  const path = nameOf('productId', productId, 'pid', pid);
  throw invalid(call, path, id === undefined ? 'must be given' : 'must be a product id, a string');
}

/** Refuses two names that say different things. @throws RunnerError `invalid_params` */
export function checkOneId(call: string, { productId, pid }: GivenId): void {
  if (productId !== undefined && pid !== undefined && productId !== pid) {
    throw bothDiffer(call, 'pid', 'productId');
  }
}

/** The product id of a call that may go without one. @throws RunnerError `invalid_params` when its two names differ */
export function givenProductId(
  call: string,
  given: { productId?: string | undefined; pid?: string | undefined },
): string | undefined {
  checkOneId(call, given);
  return given.productId ?? given.pid;
}

/** A product id under both its names. */
export function bothIds<T extends string | undefined>(productId: T): { productId: T; pid: T } {
  return { productId, pid: productId };
}

/** A process id under both its names. */
export function bothProcessIds<T extends number | undefined>(processId: T): { processId: T; pid: T } {
  return { processId, pid: processId };
}

/** What an event tells of product ids, under both names. */
export function bothNames(productIds: readonly string[]): { productIds: string[]; pids: string[] } {
  return { productIds: [...productIds], pids: [...productIds] };
}

/** What the caller called it. */
function nameOf(name: string, value: unknown, old: string, oldValue: unknown): string {
  return value === undefined && oldValue !== undefined ? old : name;
}

function isList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'string');
}

function bothDiffer(call: string, old: string, name: string): RunnerError {
  return invalid(call, old, `is the old name of ${name} and does not say the same: give ${name} alone`);
}

function invalid(call: string, path: string, fault: string): RunnerError {
  return new RunnerError('invalid_params', `${call}: ${path} ${fault}`, { details: { path } });
}
