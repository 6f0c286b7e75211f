import * as v from 'valibot';
import { NAME_ENCODINGS } from '../package/name-encodings.js';
import { shown } from '../package/text.js';
import { duplicateName } from '../duplicate-name.js';
import { RequestFault } from './problem.js';
import { charset, mediaType } from './request-headers.js';
import { timedChunks } from './timed-body.js';
import type { Call } from './types.js';

/** Media types of a package itself. */
export const RAW_TYPES = ['application/zip', 'application/octet-stream', 'application/x-zip-compressed'];
const UPLOAD_TYPES = [...RAW_TYPES, 'multipart/form-data'];

/** A JSON body is a few names and ids; more is a mistake or an attack. */
const MAX_JSON_BYTES = 64 * 1024;

const MAX_TEXT = 512;

/** A whole number. */
export const whole = (least: number, most = Number.MAX_SAFE_INTEGER) => {
  const rule = `must be a whole number from ${least} to ${most}`;
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(least, rule), v.maxValue(most, rule));
};

/** A name, a path or an id. Counted in code points, as the OpenAPI document's `maxLength` is. */
export const text = v.pipe(
  v.string('must be a text'),
  v.minLength(1, 'must not be empty'),
  v.check((value) => Array.from(value).length <= MAX_TEXT, `must not have more than ${MAX_TEXT} characters`),
);
export const packageName = { name: text, version: text };
export const operator = v.optional(text);
export const force = v.optional(v.boolean('must be true or false'));
/** Of names in a zip that do not say theirs. */
export const nameEncoding = v.optional(
  v.picklist(NAME_ENCODINGS, `must be one of ${NAME_ENCODINGS.join(', ')}`),
);
export const pids = v.pipe(
  v.array(text, 'must be a list of product ids'),
  v.minLength(1, 'must have at least one product id'),
  v.maxLength(1000, 'must not have more than 1000 product ids'),
);

/** A list passes for an object otherwise, as it does in JavaScript. */
export const noList = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value), 'must be an object'),
);

/** An object of these fields and no others; what is wrong with it is said in words of ours. */
export function fields<const E extends v.ObjectEntries>(entries: E) {
  const object = v.strictObject(entries, ({ expected, received }) => {
    if (expected === 'Object') return 'must be an object';
    const taken = Object.keys(entries).join(', ');
    return received === 'undefined' ? 'is missing' : `is not known here: what is taken is ${taken}`;
  });
  return v.pipe(noList, object);
}

/** Bodies of the endpoints that take JSON. */
export const BODIES = {
  install: fields({ path: text, force, operator, nameEncoding }),
  activate: fields({ ...packageName, pids, operator, force }),
  deactivate: fields({ pids, operator }),
  validate: v.union(
    [fields({ path: text, nameEncoding }), fields(packageName)],
    'must have path, of a file in zips/, or name and version, of what is deployed, and nothing else',
  ),
};

/** How {@link readJson} reads. */
interface JsonOptions {
  /** The endpoint takes a package itself, too. */
  uploads?: boolean;
  maxBytes?: number;
}

/**
 * The JSON body of a request, checked: bounded and timed from its first byte.
 *
 * @throws RequestFault `unsupported_media_type`, `payload_too_large` or `bad_request` with the path of the field;
 * RunnerError `timeout` when it does not come
 */
export async function readJson<S extends v.GenericSchema>(
  { request, options: { pace } }: Pick<Call, 'request' | 'options'>,
  schema: S,
  { uploads = false, maxBytes = MAX_JSON_BYTES }: JsonOptions = {},
): Promise<v.InferOutput<S>> {
  checkJsonType(request, uploads);
  const tooLarge = () =>
    new RequestFault('payload_too_large', `This JSON body may have at most ${maxBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of timedChunks(request, { ...pace, maxBytes, tooLarge })) chunks.push(chunk);
  let body: string;
  let value: unknown;
  try {
    body = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    value = JSON.parse(body) as unknown;
  } catch (error) {
    throw new RequestFault('bad_request', `The body is not JSON: ${(error as Error).message}`);
  }
  const twice = duplicateName(body);
  if (twice !== undefined) {
    throw new RequestFault('bad_request', `${shown(twice)}: is in the body twice: give it once`);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`);
  throw new RequestFault('bad_request', faults.join('; '));
}

/**
 * The same where the body may be left out: then it is `{}`.
 *
 * @throws as {@link readJson}
 */
export async function readOptionalJson<S extends v.GenericSchema>(
  call: Pick<Call, 'request' | 'options'>,
  schema: S,
): Promise<v.InferOutput<S>> {
  if (call.request.headers.has('content-type')) return readJson(call, schema);
  await refuseBody(call, 'A body needs the header Content-Type: application/json');
  return v.parse(schema, {});
}

/** Makes sure that a request whose endpoint takes no body has none: what it asked for would be left out unseen. */
export async function refuseBody(
  { request, options: { pace } }: Pick<Call, 'request' | 'options'>,
  message = 'This endpoint takes no body: its options are in the address',
): Promise<void> {
  const notTaken = () => new RequestFault('bad_request', message);
  // The first byte of one is refused: what this reads is its end.
  await timedChunks(request, { ...pace, maxBytes: 0, tooLarge: notTaken }).next();
}

function checkJsonType(request: Request, uploads: boolean): void {
  const type = mediaType(request);
  if (type !== 'application/json') {
    const given = type === '' ? 'the request has no content-type' : `not ${type}`;
    const packages = uploads ? `, or a package as ${UPLOAD_TYPES.join(', ')}` : '';
    const rule = `This endpoint takes a body of application/json${packages}`;
    throw new RequestFault('unsupported_media_type', `${rule}; ${given}`);
  }
  const letters = charset(request) ?? 'utf-8';
  if (letters !== 'utf-8' && letters !== 'utf8') {
    throw new RequestFault('unsupported_media_type', `JSON is UTF-8 here (RFC 8259), not ${letters}`);
  }
}
