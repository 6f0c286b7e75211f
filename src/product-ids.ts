import { RunnerError } from './errors.js';

/** Which product ids: by the name of today, or by the one that stays for one minor version. */
export type ProductIdList =
  | {
      /** Product ids. */
      productIds: string[];
      /** @deprecated use `productIds` */
      pids?: undefined;
    }
  | {
      /** Product ids. */
      productIds?: undefined;
      /** @deprecated use `productIds` */
      pids: string[];
    };

/** Which product id: by the name of today, or by the one that stays for one minor version. */
export type ProductIdName =
  | {
      /** The product id. */
      productId: string;
      /** @deprecated use `productId` */
      pid?: undefined;
    }
  | {
      /** The product id. */
      productId?: undefined;
      /** @deprecated use `productId` */
      pid: string;
    };

/** The product ids of a call, each once. @throws RunnerError `invalid_params` */
export function productIdsOf({ productIds, pids }: { productIds?: unknown; pids?: unknown }): string[] {
  const given = productIds ?? pids;
  if (Array.isArray(given) && given.length > 0 && given.every((id) => typeof id === 'string')) {
    return [...new Set(given)];
  }
  const path = productIds === undefined && pids !== undefined ? 'pids' : 'productIds';
  throw new RunnerError(
    'invalid_params',
    `${path} must be a list of at least one product id, each a string`,
    {
      details: { path },
    },
  );
}

/** The product id of a call. @throws RunnerError `invalid_params` */
export function productIdOf({ productId, pid }: { productId?: unknown; pid?: unknown }): string {
  const given = productId ?? pid;
  if (typeof given === 'string') return given;
  const path = productId === undefined && pid !== undefined ? 'pid' : 'productId';
  throw new RunnerError('invalid_params', `${path} must be a product id, a string`, { details: { path } });
}

/** What an event tells of product ids, under both names. */
export function bothNames(pids: readonly string[]): { productIds: string[]; pids: string[] } {
  return { productIds: [...pids], pids: [...pids] };
}
