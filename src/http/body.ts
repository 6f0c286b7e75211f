import * as v from 'valibot';
import { RequestFault } from './problem.js';

/** Media types of a package itself. */
export const RAW_TYPES = ['application/zip', 'application/octet-stream', 'application/x-zip-compressed'];
const UPLOAD_TYPES = [...RAW_TYPES, 'multipart/form-data'];

/** A JSON body is a few names and ids; more is a mistake or an attack. */
const MAX_JSON_BYTES = 64 * 1024;

const MAX_TEXT = 512;

/** A name, a path or an id. Counted in code points, as the OpenAPI document's `maxLength` is. */
export const text = v.pipe(
  v.string('must be a text'),
  v.minLength(1, 'must not be empty'),
  v.check((value) => Array.from(value).length <= MAX_TEXT, `must not have more than ${MAX_TEXT} characters`),
);
export const packageName = { name: text, version: text };
export const operator = v.optional(text);
export const force = v.optional(v.boolean('must be true or false'));
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
  install: fields({ path: text, force, operator }),
  activate: fields({ ...packageName, pids, operator, force }),
  deactivate: fields({ pids, operator }),
  validate: v.union(
    [fields({ path: text }), fields(packageName)],
    'must have path, of a file in zips/, or name and version, of what is deployed, and nothing else',
  ),
};

/** Media type of a request, without parameters. */
export function mediaType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/**
 * The JSON body of a request, checked. `uploads`: the endpoint takes a package itself, too.
 * @throws RequestFault `unsupported_media_type`, `payload_too_large` or `bad_request` with the path of the field.
 */
export async function readJson<S extends v.GenericSchema>(
  request: Request,
  schema: S,
  { uploads = false, maxBytes = MAX_JSON_BYTES }: { uploads?: boolean; maxBytes?: number } = {},
): Promise<v.InferOutput<S>> {
  const type = mediaType(request);
  if (type !== 'application/json') {
    const given = type === '' ? 'the request has no content-type' : `not ${type}`;
    const packages = uploads ? `, or a package as ${UPLOAD_TYPES.join(', ')}` : '';
    const rule = `This endpoint takes a body of application/json${packages}`;
    throw new RequestFault('unsupported_media_type', `${rule}; ${given}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(await boundedText(request, maxBytes)) as unknown;
  } catch (error) {
    if (error instanceof RequestFault) throw error;
    throw new RequestFault('bad_request', `The body is not JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`);
  throw new RequestFault('bad_request', faults.join('; '));
}

async function boundedText(request: Request, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | null = request.body;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new RequestFault('payload_too_large', `This JSON body may have at most ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
