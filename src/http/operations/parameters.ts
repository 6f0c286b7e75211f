import type { Registry } from '../../registry/registry.js';
import { parametersJsonSchema, type JsonSchema } from '../../parameters/json-schema.js';
import type { ParameterSchema } from '../../parameters/types.js';
import type { Call } from '../types.js';

/** Most versions whose parameters the OpenAPI document describes: each client of the station reads all of it. */
const MOST_DESCRIBED = 50;

/** GET /algorithms/\{name\}/\{version\}/parameters: what each step can be set to, as JSON Schema for forms. */
export async function parameters({ request, params, options }: Call): Promise<Response> {
  const { name = '', version = '' } = params;
  const schema = await options.registry.parameters(name, version, { signal: request.signal });
  return Response.json({ name, version, steps: stepsOf(schema) });
}

function stepsOf(schema: ParameterSchema): { index: number; name?: string; schema: JsonSchema }[] {
  return schema.steps.map(({ index, name }) => ({
    index,
    ...(name !== undefined && { name }),
    schema: parametersJsonSchema(schema, index),
  }));
}

/**
 * The parameters of what is active, for the OpenAPI document: a schema for each step, by a name as
 * `Parameters.board-check.1.0.0.1`. Steps that take any parameters have none.
 */
export async function activeParameters(
  registry: Registry,
  signal: AbortSignal,
): Promise<Record<string, JsonSchema>> {
  const found: Record<string, JsonSchema> = {};
  const entries = await registry.list({}, { signal });
  const mappings = Object.values(await registry.active({ signal }));
  const isActive = (name: string, version: string) =>
    mappings.some((mapping) => mapping.name === name && mapping.version === version);
  const active = entries.filter(({ name, version, steps }) => steps && isActive(name, version));
  for (const { name, version } of active.slice(0, MOST_DESCRIBED)) {
    for (const { index, schema } of stepsOf(await registry.parameters(name, version, { signal }))) {
      const key = `Parameters.${name}.${version}.${index}`.replaceAll(/[^\w.-]/g, '_');
      if (schema.properties !== undefined) found[key] = schema;
    }
  }
  return found;
}
