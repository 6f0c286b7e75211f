import * as v from 'valibot';
import { RequestFault } from './problem.js';

/** A JSON body is a few names and ids; more is a mistake or an attack. */
const MAX_JSON_BYTES = 64 * 1024;

const MAX_TEXT = 512;

/** A name, a path or an id. Counted in code points, as the OpenAPI document's `maxLength` is. */
export const text = v.pipe(
  v.string(),
  v.minLength(1, 'must not be empty'),
  v.check((value) => Array.from(value).length <= MAX_TEXT, `must not have more than ${MAX_TEXT} characters`),
);
const packageName = { name: text, version: text };
const operator = v.optional(text);

/** Bodies of the endpoints that take JSON. */
export const BODIES = {
  install: v.strictObject({ path: text, force: v.optional(v.boolean()), operator }),
  mapping: v.strictObject({
    ...packageName,
    pids: v.pipe(v.array(text), v.minLength(1), v.maxLength(1000)),
    operator,
    force: v.optional(v.boolean()),
  }),
  validate: v.union([v.strictObject({ path: text }), v.strictObject(packageName)]),
};

/** Media type of a request, without parameters. */
export function mediaType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/**
 * The JSON body of a request, checked.
 * @throws RequestFault `unsupported_media_type`, `payload_too_large` or `bad_request` with the path of the field.
 */
export async function readJson<S extends v.GenericSchema>(
  request: Request,
  schema: S,
): Promise<v.InferOutput<S>> {
  if (mediaType(request) !== 'application/json') {
    throw new RequestFault('unsupported_media_type', 'This endpoint takes a body of application/json');
  }
  let value: unknown;
  try {
    value = JSON.parse(await boundedText(request)) as unknown;
  } catch (error) {
    if (error instanceof RequestFault) throw error;
    throw new RequestFault('bad_request', `The body is not JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`);
  throw new RequestFault('bad_request', faults.join('; '));
}

async function boundedText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | null = request.body;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_JSON_BYTES) {
      throw new RequestFault('payload_too_large', `A JSON body may have at most ${MAX_JSON_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
