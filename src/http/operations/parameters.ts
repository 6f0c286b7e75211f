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
  const active = new Set(mappings.map(({ name, version }) => `${name}/${version}`));
  const described = entries.filter(({ name, version, steps }) => steps && active.has(`${name}/${version}`));
  for (const { name, version, steps = [] } of described.slice(0, MOST_DESCRIBED)) {
    for (const { index, schema } of stepsOf({ name, version, steps })) {
      const key = `Parameters.${name}.${version}.${index}`.replaceAll(/[^\w.-]/g, '_');
      if (schema.properties !== undefined) found[key] = schema;
    }
  }
  return found;
}
