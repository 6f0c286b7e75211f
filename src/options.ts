import { inspect } from 'node:util';
import * as v from 'valibot';
import { RunnerError } from './errors.js';
import { LONGEST_TIMER_MS } from './longest-timer.js';

/**
 * How options are checked: each public call ("door") has one schema of what it takes. It refuses unknown names, wrong
 * types, numbers that are out of bounds and promises that were not awaited, before anything happens.
 */

/** One option: what a value must be, the name of the rule, and the rule as JSON Schema where JSON can have such values. */
export type Option<T> = v.GenericSchema<T> & { readonly rule: string; readonly json?: JsonRule };

/** A rule as JSON Schema. */
export type JsonRule = Readonly<Record<string, unknown>>;

/**
 * The options of a door: each key of `T` has its rule, so that an option cannot be added without one. `Exclude` keeps a union
 * from being mapped part by part: each of its keys has one rule.
 */
export type Shape<T> = { readonly [K in Exclude<keyof T, never>]: Option<T[K]> };

/** A whole number within bounds, both inclusive. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Option<number | undefined> {
  const fits = (value: unknown) => Number.isInteger(value) && within(value as number, least, most);
  const json = { type: 'integer', minimum: least, maximum: most };
  return option('whole', `must be a whole number from ${least} to ${most}`, fits, json);
}

/** A number within bounds, both inclusive; not NaN. */
export function number(least: number, most: number): Option<number | undefined> {
  const fits = (value: unknown) => typeof value === 'number' && within(value, least, most);
  const json = { type: 'number', minimum: least, maximum: most };
  return option('number', `must be a number from ${least} to ${most}`, fits, json);
}

/** A time in milliseconds that a timer of Node can wait. */
export function duration(leastMs = 0): Option<number | undefined> {
  const fits = (value: unknown) => typeof value === 'number' && within(value, leastMs, LONGEST_TIMER_MS);
  const json = { type: 'number', minimum: leastMs, maximum: LONGEST_TIMER_MS };
  return option('duration', `must be a time of ${leastMs} to ${LONGEST_TIMER_MS} ms`, fits, json);
}

/** True or false. */
export function flag(): Option<boolean | undefined> {
  const json = { type: 'boolean' };
  return option('flag', 'must be true or false', (value) => typeof value === 'boolean', json);
}

/** A text that is not empty. */
export function text(): Option<string | undefined> {
  return option('text', 'must be a string that is not empty', isText);
}

/** A text that is not empty, and that must be given. */
export function name(): Option<string> {
  return must(text());
}

/** A list of non-empty strings. */
export function strings(): Option<string[] | undefined> {
  return option(
    'strings',
    'must be a list of strings that are not empty',
    (value) => Array.isArray(value) && value.every(isText),
    { type: 'array', items: { type: 'string', minLength: 1 } },
  );
}

/** Product ids: any strings. */
export function productIds<T extends string[] | undefined = string[] | undefined>(): Option<T> {
  const fits = (value: unknown) => Array.isArray(value) && value.every((id) => typeof id === 'string');
  return option('productIds', 'must be a list of product ids', fits) as Option<T>;
}

/** A product id: any string. */
export function productId<T extends string | undefined = string | undefined>(): Option<T> {
  return option('productId', 'must be a product id', (value) => typeof value === 'string') as Option<T>;
}

/** Values of parameters by name; what they must be, the version says. */
export function values(): Option<Readonly<Record<string, unknown>> | undefined> {
  const fits = (value: unknown) => isOptions(value) && !ArrayBuffer.isView(value);
  return option('values', 'must be an object of values by name', fits);
}

/** One of some words. */
export function choice<const T>(...words: readonly T[]): Option<T | undefined> {
  const list = words.map((word) => (typeof word === 'string' ? `'${word}'` : String(word))).join(' or ');
  return option('choice', `must be ${list}`, (value) => words.includes(value as T), { enum: words });
}

/** A signal that ends the call. */
export function abortSignal(): Option<AbortSignal | undefined> {
  const fits = (value: unknown) =>
    has(value, 'addEventListener', 'removeEventListener') && 'aborted' in value;
  return option('signal', 'must be an AbortSignal', fits);
}

/** An object of this library or of the caller, known by its methods: two copies of the library have two classes. */
export function instance<T>(what: string, ...methods: string[]): Option<T | undefined> {
  return option('instance', `must be ${what}`, (value) => has(value, ...methods));
}

/** A function. */
export function callback<T>(): Option<T | undefined> {
  return option('callback', 'must be a function', (value) => typeof value === 'function');
}

/** Anything that `fits`. */
export function option<T>(
  rule: string,
  words: string,
  fits: (value: unknown) => boolean,
  json?: JsonRule,
): Option<T | undefined> {
  const check = (value: unknown) => value === undefined || fits(value);
  const schema = v.custom<T | undefined>(check, ({ input }) => `${words}, not ${describe(input)}`);
  return Object.assign(schema, { rule, ...(json && { json }) });
}

/** The same, which must be given. */
export function must<T>(one: Option<T | undefined>): Option<T> {
  const given = v.custom<T>((value) => value !== undefined, 'must be given');
  const { rule, shape } = one as Option<T> & { shape?: object };
  return Object.assign(v.pipe(given, one as v.GenericSchema<T>), { rule, ...(shape && { shape }) });
}

/** Options within an option. */
export function group<T extends object>(shape: Shape<T>): Option<T | undefined> {
  const schema = v.optional(strict(shape));
  const json = jsonOf(shape);
  return Object.assign(schema as unknown as v.GenericSchema<T | undefined>, { rule: 'group', shape, json });
}

/** What an object of options is, as JSON Schema: all of them optional, and no other. */
export function jsonOf(shape: object): JsonRule {
  const rules = Object.entries(shape as Record<string, Option<unknown>>);
  const properties = Object.fromEntries(rules.map(([key, { json = {} }]) => [key, json]));
  return { type: 'object', properties, additionalProperties: false };
}

/**
 * The doors of a class, made at their first use: a bundler drops those that are never asked for, and an import of the
 * library makes none. Marked as pure where it is called, because a bundler cannot see that.
 */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** What one public call takes. */
export class Door<T extends object> {
  /** As the call is to be made: `deployer.prune({ name, dryRun })`. */
  readonly call: string;
  readonly shape: Shape<T>;
  readonly #schema: v.GenericSchema<T>;

  constructor(call: string, shape: Shape<T>) {
    this.call = call;
    this.shape = shape;
    this.#schema = strict(shape);
  }

  /** Throws unless every option is known and fits. @throws RunnerError `invalid_params` naming the option in `details.path` */
  check(given: unknown): void {
    const { issues } = v.safeParse(this.#schema, given, { abortEarly: true });
    if (!issues) return;
    const [issue] = issues;
    const path = v.getDotPath(issue) ?? '';
    throw new RunnerError('invalid_params', `${this.call}: ${this.#fault(issue, path)}`, {
      details: { path },
    });
  }

  #fault(issue: v.BaseIssue<unknown>, path: string): string {
    if (issue.type === 'strict_object' && issue.expected === 'never') {
      const known = Object.keys(shapeAt(this.shape, path.split('.').slice(0, -1)));
      const word = path.split('.').at(-1) ?? '';
      const near = nearest(word, known);
      return `there is no option ${path}${near === undefined ? '.' : `. Did you mean ${near}?`} Known are ${known.join(', ')}`;
    }
    if (issue.type === 'strict_object') return `${path} must be given`;
    return `${path === '' ? 'its argument' : path} ${issue.message}`;
  }
}

/** What a value is, in a few words, for a message: never its content when it is large. */
export function describe(value: unknown): string {
  if (value instanceof Promise) return 'a Promise: is an await missing?';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) {
    const { name: kind = 'Object' } = (value.constructor as { name?: string } | undefined) ?? {};
    return kind === 'Object' ? 'an object' : `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
  }
  return inspect(value, { maxStringLength: 60 });
}

/** The known word that is nearest to a mistyped one, by the letters that must change; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((one) => ({ one, distance: distance(word.toLowerCase(), one.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.one : undefined;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function strict<T>(shape: Shape<T>): v.GenericSchema<T> {
  const entries = Object.fromEntries(
    Object.entries<Option<unknown>>(shape).map(([key, one]) => [key, isMust(one) ? one : v.optional(one)]),
  );
  // A list and a promise would pass as objects without unknown keys: they are refused first.
  const object = v.custom<object>(isOptions, ({ input }) => `must be an object, not ${describe(input)}`);
  return v.pipe(object, v.strictObject(entries)) as unknown as v.GenericSchema<T>;
}

function isOptions(given: unknown): boolean {
  return typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Promise);
}

/** Whether an option refuses to be left out. */
function isMust(one: Option<unknown>): boolean {
  return !v.is(one, undefined);
}

function shapeAt(shape: object, path: readonly string[]): object {
  return path.reduce<object>(
    (inner, key) => (inner as Record<string, { shape?: object } | undefined>)[key]?.shape ?? {},
    shape,
  );
}

function within(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function has(value: unknown, ...methods: string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || value instanceof Promise) return false;
  return methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
}
