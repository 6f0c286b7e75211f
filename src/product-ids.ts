import { RunnerError } from './errors.js';

/** Product ids, by the current name or by the deprecated name that stays for one minor version. */
export type ProductIdList =
  | {
      /** Product ids. */
      productIds: string[];
      /** Old name of `productIds`; it stays for one minor version. */
      pids?: undefined;
    }
  | {
      /** Product ids. */
      productIds?: undefined;
      /** Old name of `productIds`; it stays for one minor version. */
      pids: string[];
    };

/** A product id, by the current name or by the deprecated name that stays for one minor version. */
export type ProductIdName =
  | {
      /** The product id. */
      productId: string;
      /** Old name of `productId`; it stays for one minor version. */
      pid?: undefined;
    }
  | {
      /** The product id. */
      productId?: undefined;
      /** Old name of `productId`; it stays for one minor version. */
      pid: string;
    };

/** The product ids of a call, each once. @throws RunnerError `invalid_params` */
export function productIdsOf(
  call: string,
  { productIds, pids }: { productIds?: unknown; pids?: unknown },
): string[] {
  const given = productIds ?? pids;
  if (Array.isArray(given) && given.length > 0 && given.every((id) => typeof id === 'string')) {
    return [...new Set(given)];
  }
  const path = productIds === undefined && pids !== undefined ? 'pids' : 'productIds';
  const fault =
    given === undefined ? 'must be given' : 'must be a list of at least one product id, each a string';
  throw new RunnerError('invalid_params', `${call}: ${path} ${fault}`, { details: { path } });
}

/** The product id of a call. @throws RunnerError `invalid_params` */
export function productIdOf(
  call: string,
  { productId, pid }: { productId?: unknown; pid?: unknown },
): string {
  const given = productId ?? pid;
  if (typeof given === 'string') return given;
  const path = productId === undefined && pid !== undefined ? 'pid' : 'productId';
  const fault = given === undefined ? 'must be given' : 'must be a product id, a string';
  throw new RunnerError('invalid_params', `${call}: ${path} ${fault}`, { details: { path } });
}

/** What an event tells of product ids, under both names. */
export function bothNames(pids: readonly string[]): { productIds: string[]; pids: string[] } {
  return { productIds: [...pids], pids: [...pids] };
}
