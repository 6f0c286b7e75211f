import { NAME_ENCODINGS } from '../package/name-encodings.js';

/** A JSON Schema or an OpenAPI object: plain data. */
export type Json = Record<string, unknown>;

/** One package that the whole document speaks of. */
export const EXAMPLES = {
  name: 'board-check',
  version: '1.0.0',
  pid: 'BOARD-7',
  path: 'board-check-v1.0.0-offline.zip',
  requestId: 'k3f9-17',
} as const;

export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (items: Json): Json => ({ type: 'array', items });

/** A name, a path or an id of a request. */
export const text = (example: string): Json => ({
  type: 'string',
  minLength: 1,
  maxLength: 512,
  examples: [example],
});

export const NAME_ENCODING = {
  enum: NAME_ENCODINGS,
  description: 'In what names of the zip are encoded that do not say so; left out, the names themselves tell',
} as const;

export const STRING: Json = { type: 'string' };
export const VERSION = { name: text(EXAMPLES.name), version: text(EXAMPLES.version) };

/** An object with these properties, those in `optional` not always; `more` for what else may be in it. */
export function object(properties: Record<string, Json>, optional: string[] = [], more: Json = {}): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', required, properties, ...more };
}

export const CLOSED = { additionalProperties: false };

/** A whole number of a request. */
export const whole = (description: string, minimum = 1, maximum: number = Number.MAX_SAFE_INTEGER): Json => ({
  ...{ type: 'integer', minimum, maximum, description, examples: [minimum] },
});
