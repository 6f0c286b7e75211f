import { isRecord } from '../../arguments.js';
import { problemOf } from '../problem.js';
import { withoutPaths } from '../../redact-paths.js';

/** What stands in place of the values of environment variables: they may be secrets. */
const HIDDEN = '***';

/**
 * A value as it is answered: failures in it are problem documents, paths are relative to the store, the values of
 * environment variables are hidden.
 */
export function asJson(value: unknown, root: string): unknown {
  const plain: unknown = JSON.parse(
    JSON.stringify(value ?? null, (key, inner: unknown) => {
      // An Error with a `toJSON` has been through it when a replacer sees it, so errors are looked for one level up.
      if (key === 'env' && isRecord(inner)) {
        return Object.fromEntries(Object.keys(inner).map((name) => [name, HIDDEN]));
      }
      return isRecord(inner) ? plainObject(inner, root) : inner;
    }),
  );
  return withoutPaths(plain, root);
}

function plainObject(value: Record<string, unknown>, root: string): Record<string, unknown> {
  const isOfProcess = 'processId' in value;
  if (!isOfProcess && !Object.values(value).some((inner) => inner instanceof Error)) return value;
  return Object.fromEntries(
    Object.entries(value)
      // The old name of a process id: over HTTP a `pid` is a product id.
      .filter(([key]) => !(isOfProcess && key === 'pid'))
      .map(([key, inner]) => [key, inner instanceof Error ? problemOf(inner, root) : inner]),
  );
}
