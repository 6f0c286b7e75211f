import * as v from 'valibot';
import type { PackageState } from '../registry/types.js';
import { text } from './body.js';
import { RequestFault } from './problem.js';

/** Every state, each once: a new one is missed by the compiler. */
export const PACKAGE_STATES = Object.keys({
  discovered: 0,
  validated: 0,
  deployed: 0,
  running: 0,
  executing: 0,
  stopped: 0,
  invalid: 0,
} satisfies Record<PackageState, 0>) as PackageState[];

const flag = v.pipe(
  v.picklist(['true', 'false'], 'must be true or false'),
  v.transform((value) => value === 'true'),
);

/** Query parameters of the endpoints. */
export const QUERIES = {
  list: v.object({
    state: v.optional(v.picklist(PACKAGE_STATES, `must be one of ${PACKAGE_STATES.join(', ')}`)),
    name: v.optional(text),
  }),
  change: v.object({ force: v.optional(flag), operator: v.optional(text) }),
};

/**
 * The query parameters of a request, checked; those that are not known are left out.
 * @throws RequestFault `bad_request` naming the parameter
 */
export function readQuery<S extends v.GenericSchema>(url: URL, schema: S): v.InferOutput<S> {
  const parsed = v.safeParse(schema, Object.fromEntries(url.searchParams));
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'query'}: ${issue.message}`);
  throw new RequestFault('bad_request', faults.join('; '));
}
