import * as v from 'valibot';
import type { PackageState } from '../registry/types.js';
import { LONGEST_TIMER_MS } from '../longest-timer.js';
import { printable } from '../package/text.js';
import { nearest } from '../options.js';
import { nameEncoding, text } from './body.js';
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

/** A whole number as it stands in an address. */
function wholeText(least: number, most: number) {
  const rule = `must be a whole number from ${least} to ${most}`;
  return v.pipe(
    v.string(rule),
    v.regex(/^\d{1,16}$/, rule),
    v.transform(Number),
    v.minValue(least, rule),
    v.maxValue(most, rule),
  );
}

/** What of the station is looked at. */
const EXAMINED = { name: v.optional(text), version: v.optional(text), verify: v.optional(flag) };

/** Query parameters of the endpoints. */
export const QUERIES = {
  list: v.object({
    state: v.optional(v.picklist(PACKAGE_STATES, `must be one of ${PACKAGE_STATES.join(', ')}`)),
    name: v.optional(text),
  }),
  change: v.object({
    force: v.optional(flag),
    alsoRollbackTargets: v.optional(flag),
    dryRun: v.optional(flag),
    operator: v.optional(text),
  }),
  policy: v.object({ operator: v.optional(text) }),
  prune: v.object({ name: v.optional(text), dryRun: v.optional(flag), operator: v.optional(text) }),
  recover: v.object({ dryRun: v.optional(flag) }),
  removePackage: v.object({ dryRun: v.optional(flag), operator: v.optional(text) }),
  logs: v.object({
    name: v.optional(text),
    version: v.optional(text),
    lines: v.optional(wholeText(1, 1_000)),
  }),
  doctor: v.object(EXAMINED),
  fix: v.object({ ...EXAMINED, operator: v.optional(text) }),
  events: v.object({ names: v.optional(text), kept: v.optional(flag) }),
  install: v.object({ force: v.optional(flag), operator: v.optional(text), nameEncoding }),
  validate: v.object({ nameEncoding }),
  inspect: v.object({
    step: v.optional(wholeText(0, 1_000_000)),
    timeoutMs: v.optional(wholeText(1, LONGEST_TIMER_MS)),
    orientation: v.optional(v.picklist(['apply', 'ignore'], "must be 'apply' or 'ignore'")),
    decode: v.optional(v.picklist(['host', 'package'], "must be 'host' or 'package'")),
  }),
};

/** What endpoints are asked by, in a query, a form or a body: each name by itself in small letters. */
export const PARAMETERS: ReadonlyMap<string, string> = new Map(
  [
    ...Object.values(QUERIES).flatMap(({ entries }) => Object.keys(entries)),
    ...['path', 'version', 'pid', 'pids'],
  ].map((name) => [name.toLowerCase(), name]),
);

const OF_FORM = 'send a form (multipart/form-data) with the picture as image and';
/** What an inspection takes by another name or in another place, by the name that is tried for it: in small letters, without marks. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['stepindex', 'the step is written step'],
  ...['params', 'userparams', 'parameters'].map((name) => [name, `${OF_FORM} params`] as const),
  ...['guide', 'guideimage'].map((name) => [name, `${OF_FORM} guide_image`] as const),
  ['toeightbits', 'send the header X-Image-To-Eight-Bits'],
]);

/**
 * Refuses a query that two readers could take two ways: a name that is there twice, one of ours in other letters or as
 * a list (`Force`, `force[]`), one of ours that this endpoint does not take, `;` at which some readers divide it. Names
 * that are none of ours are the host's, for its `authorize`, but for those that are a slip of a parameter of the endpoint: a picture of step 2
 * must not be inspected as step 1 because of a letter.
 *
 * @param taken - names that the endpoint takes
 * @throws RequestFault `bad_request`
 */
export function checkQuery(url: URL, taken: readonly string[]): void {
  const query = url.search.slice(1);
  if (query.includes(';')) throw refused('The query has a ; in it, which divides it for some: write %3B');
  try {
    decodeURIComponent(query.replaceAll('+', ' '));
  } catch {
    throw refused('The query is not percent-encoded UTF-8');
  }
  const seen = new Set<string>();
  for (const name of url.searchParams.keys()) {
    if (seen.has(name)) throw refused(`${printable(name)}: is in the query twice: give it once`);
    seen.add(name);
    if (taken.includes(name)) continue;
    // The word that it begins with, as a reader may take it that cuts a name at a bracket, a dot or a NUL.
    const plain = /^[^\w-]*([a-z]+)(?![\w-])/i.exec(name)?.[1]?.toLowerCase() ?? '';
    const meant = PARAMETERS.get(plain);
    if (meant === undefined) {
      checkSlip(name, taken);
      continue;
    }
    throw refused(
      taken.includes(meant)
        ? `${printable(name)}: is written ${meant} here, without more`
        : `${printable(name)}: is not taken from the query here`,
    );
  }
}

/** @throws RequestFault `bad_request` for a name that is nearly a parameter, or means one */
function checkSlip(name: string, taken: readonly string[]): void {
  const near = nearest(name, taken);
  if (near !== undefined) throw refused(`${printable(name)}: is not known here. Did you mean ${near}?`);
  const place = taken.includes('step')
    ? ELSEWHERE.get(name.toLowerCase().replaceAll(/[_-]/g, ''))
    : undefined;
  if (place !== undefined) throw refused(`${printable(name)}: is not taken from the query here: ${place}`);
}

/**
 * The query parameters of a request, checked; see {@link checkQuery} for what was looked at before.
 * @throws RequestFault `bad_request` naming the parameter
 */
export function readQuery<S extends v.GenericSchema>(url: URL, schema: S): v.InferOutput<S> {
  const parsed = v.safeParse(schema, Object.fromEntries(url.searchParams));
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'query'}: ${issue.message}`);
  throw refused(faults.join('; '));
}

/**
 * What a query and a JSON body say together.
 * @throws RequestFault `bad_request` for a name to which they give two values
 */
export function agreed<Q extends object, B extends object>(query: Q, body: B): B & Q {
  for (const [name, value] of Object.entries(query)) {
    const other: unknown = (body as Record<string, unknown>)[name];
    if (other !== undefined && value !== undefined && other !== value) {
      throw refused(`${name}: is one thing in the query and another in the body: give it once`);
    }
  }
  return { ...body, ...query };
}

function refused(message: string): RequestFault {
  return new RequestFault('bad_request', message);
}
