import * as v from 'valibot';

/**
 * The parts of OpenAPI 3.1.0 that the runner's document may use, each with the fields that the specification gives it and
 * no others, extensions (`x-…`) apart. Schemas are JSON Schema 2020-12 and are checked by a validator of that.
 */
const schema = v.record(v.string(), v.unknown());

/** An object of the specification: these fields, and extensions. */
function part<E extends v.ObjectEntries>(entries: E) {
  return v.pipe(
    v.looseObject(entries),
    v.check(
      (value) => Object.keys(value).every((key) => key in entries || key.startsWith('x-')),
      (issue) =>
        `has a field that is not of the specification: ${Object.keys(issue.input as object).join(', ')}`,
    ),
  );
}

const mediaType = part({ schema: v.optional(schema), example: v.optional(v.unknown()) });
const content = v.record(v.pipe(v.string(), v.regex(/^[\w.+-]+\/[\w.+*-]+$/)), mediaType);
const header = part({ description: v.optional(v.string()), required: v.optional(v.boolean()), schema });
const parameter = v.pipe(
  part({
    name: v.string(),
    in: v.picklist(['query', 'header', 'path', 'cookie']),
    description: v.optional(v.string()),
    required: v.optional(v.boolean()),
    schema,
  }),
  v.check((value) => value.in !== 'path' || value.required === true, 'a path parameter is required'),
);
const reference = part({ $ref: v.pipe(v.string(), v.regex(/^#\/components\/responses\/\w+$/)) });
const response = part({
  description: v.string(),
  headers: v.optional(v.record(v.string(), header)),
  content: v.optional(content),
});
const operation = part({
  operationId: v.string(),
  summary: v.string(),
  description: v.optional(v.string()),
  parameters: v.optional(v.array(parameter)),
  requestBody: v.optional(
    part({ description: v.optional(v.string()), required: v.optional(v.boolean()), content }),
  ),
  tags: v.optional(v.array(v.string())),
  responses: v.pipe(
    v.record(v.pipe(v.string(), v.regex(/^([1-5](\d\d|XX)|default)$/)), v.union([reference, response])),
    v.check((value) => Object.keys(value).length > 0, 'at least one response'),
  ),
});
const pathItem = part({
  get: v.optional(operation),
  post: v.optional(operation),
  put: v.optional(operation),
  delete: v.optional(operation),
});

/** The document itself. */
export const OpenApiShape = part({
  openapi: v.pipe(v.string(), v.regex(/^3\.1\.\d+$/)),
  info: part({
    title: v.string(),
    version: v.string(),
    description: v.optional(v.string()),
    contact: part({ name: v.string(), url: v.string() }),
    license: part({ name: v.string(), identifier: v.string() }),
  }),
  security: v.array(v.record(v.string(), v.array(v.string()))),
  tags: v.array(part({ name: v.string(), description: v.string() })),
  servers: v.array(part({ url: v.string(), description: v.optional(v.string()) })),
  paths: v.record(v.pipe(v.string(), v.regex(/^\//)), pathItem),
  components: part({
    schemas: v.record(v.pipe(v.string(), v.regex(/^[\w.-]+$/)), schema),
    responses: v.record(v.pipe(v.string(), v.regex(/^\w+$/)), response),
    securitySchemes: v.record(
      v.string(),
      part({ type: v.literal('http'), scheme: v.string(), description: v.string() }),
    ),
  }),
});

/** The document, its parts typed. */
export type OpenApi = v.InferOutput<typeof OpenApiShape>;
/** One answer of an operation. */
export type ResponseShape = v.InferOutput<typeof response>;
/** One operation of it. */
export type Operation = v.InferOutput<typeof operation>;
