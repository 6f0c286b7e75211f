import * as v from 'valibot';
import { expect, test } from 'vitest';
import { BODIES } from '../../src/http/body.js';
import { APPROVE_BODY, BACK_BODY, HALT_BODY } from '../../src/http/fleet/fleet-endpoints.js';
import { FIX_BODY } from '../../src/http/operations/doctor.js';
import { EXPORT_BODY, RETRY_BODY } from '../../src/http/operations/outbox.js';
import { INFER_BODY } from '../../src/http/inference/infer-body.js';
import { PARAMS_BODY, ROLLBACK_BODY } from '../../src/http/operations/store.js';
import { VERSION_BODIES } from '../../src/http/operations/versions.js';
import { openApiDocument } from '../../src/http/openapi.js';
import { SWITCH_BODY } from '../../src/http/switch-body.js';
import { OpenApiContract } from '../support/openapi-contract.js';

type Json = Record<string, unknown>;

/** What is used of `@valibot/to-json-schema`. */
interface Converter {
  toJsonSchema: (
    schema: v.GenericSchema,
    config: {
      target: 'draft-2020-12';
      typeMode: 'output';
      overrideAction: (context: {
        valibotAction: { type: string; message?: unknown; requirement?: unknown };
        jsonSchema: Json;
      }) => Json | undefined;
    },
  ) => Json;
}
const CONVERTER = '@valibot/to-json-schema';
const { toJsonSchema } = (await import(CONVERTER)) as Converter;

/** Rules by which bodies are read, by the name that the document has for them. */
const RULES: Readonly<Record<string, v.GenericSchema>> = {
  InstallRequest: BODIES.install,
  ActivateRequest: BODIES.activate,
  DeactivateRequest: BODIES.deactivate,
  ValidateRequest: BODIES.validate,
  SwitchRequest: SWITCH_BODY,
  RollbackRequest: ROLLBACK_BODY,
  StartRequest: VERSION_BODIES.start,
  ResetRequest: VERSION_BODIES.reset,
  ParamsRequest: PARAMS_BODY,
  FixRequest: FIX_BODY,
  FleetHaltRequest: HALT_BODY,
  FleetApproveRequest: APPROVE_BODY,
  FleetBackRequest: BACK_BODY,
  OutboxRetryRequest: RETRY_BODY,
  OutboxExportRequest: EXPORT_BODY,
  InferRequest: INFER_BODY,
};
/** Checked by the options of the supervisor, which its schema is made of: the body's own rule is that it is an object. */
const OF_OPTIONS = ['PolicyRequest'];

/** Bounds that actions without a form in JSON Schema set. */
function overrideAction({
  valibotAction: { type, message, requirement },
  jsonSchema,
}: Parameters<Parameters<Converter['toJsonSchema']>[1]['overrideAction']>[0]): Json | undefined {
  // Characters are counted as JSON Schema does, which `maxLength` of valibot does not.
  const [, most] = /^must not have more than (\d+) characters$/.exec(String(message)) ?? [];
  if (type === 'check' && most !== undefined) return { ...jsonSchema, maxLength: Number(most) };
  const isUnbounded = type === 'max_value' && requirement === Infinity;
  return type === 'transform' || isUnbounded ? jsonSchema : undefined;
}

const WORDS = ['description', 'examples', 'default', 'title', '$schema', 'contentEncoding'];

/** A schema without its words, and with one form for what can be said in two. */
function bare(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(bare);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { properties, required, oneOf, anyOf = oneOf, ...rest } = schema as Json;
  const kept = Object.entries(rest).filter(([key, value]) => {
    if (WORDS.includes(key)) return false;
    // An enum says what its values are; names are texts; what may be anything needs no saying.
    if (key === 'type' && 'enum' in rest) return false;
    return key !== 'propertyNames' && !(key === 'additionalProperties' && JSON.stringify(value) === '{}');
  });
  return {
    ...Object.fromEntries(kept.map(([key, value]) => [key, bare(value)])),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties as Json).map(([name, value]) => [name, bare(value)]),
      ),
      required: [...((required ?? []) as string[])].sort(),
    }),
    ...(anyOf !== undefined && {
      anyOf: (bare(anyOf) as unknown[]).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    }),
  };
}

const { document, endpoints } = new OpenApiContract(openApiDocument(''));

test('every JSON body that the document describes is held against the rules by which it is read', () => {
  const described = endpoints.flatMap(({ operation }) => {
    const schema = operation.requestBody?.content['application/json']?.schema as
      { $ref?: string } | undefined;
    return schema ? [schema.$ref?.split('/').at(-1)] : [];
  });
  expect([...new Set(described)].sort()).toEqual([...Object.keys(RULES), ...OF_OPTIONS].sort());
});

test.each(Object.entries(RULES))('%s is what its rules make of it', (name, rules) => {
  const made = toJsonSchema(rules, {
    ...{ target: 'draft-2020-12', typeMode: 'output', overrideAction },
  });
  expect(bare(document.components.schemas[name])).toEqual(bare(made));
});

test('a warm-up may call step 0, and compare the picture with itself', () => {
  const warmUp = {
    image: { data: 'AAAA', width: 1, height: 1 },
    ...{ guideImage: 'same', stepIndex: 0 },
  };
  const body = { name: 'sample', version: '1.0.0', pids: ['A01'], warmUp };
  expect(v.safeParse(SWITCH_BODY, body)).toMatchObject({
    success: true,
    output: { warmUp: { guideImage: 'same', stepIndex: 0 } },
  });
});
