import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import * as v from 'valibot';
import { eventsOf } from './http-runner.js';
import { OpenApiShape, type OpenApi, type Operation, type ResponseShape } from './openapi-shape.js';
import { SchemaValues } from './schema-arbitrary.js';

const DEFINITIONS = 'urn:openapi:schemas';

/** One endpoint as the document has it. */
export interface Endpoint {
  method: string;
  path: string;
  operation: Operation;
}

/** A served OpenAPI document, and answers held against it. */
export class OpenApiContract {
  readonly document: OpenApi;
  readonly endpoints: Endpoint[];
  readonly values: SchemaValues;
  /** Statuses seen, as `operationId status`. */
  readonly seen = new Set<string>();
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<object, ValidateFunction>();

  /** @throws what is wrong with the document */
  constructor(served: unknown) {
    this.document = v.parse(OpenApiShape, served);
    this.endpoints = Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
        ...{ method: method.toUpperCase(), path, operation },
      })),
    );
    this.values = new SchemaValues(this.document.components.schemas);
    this.#ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });
    addFormats.default(this.#ajv);
    this.#ajv.addSchema({ $id: DEFINITIONS, $defs: standalone(this.document.components.schemas) });
  }

  /** Compiles every schema of the document, and gives how many there are. @throws for one that is none */
  compileAll(): number {
    const schemas = [...schemasIn(this.document)];
    for (const schema of schemas) this.#compile(schema);
    return schemas.length;
  }

  /** Whether a value fits a schema of the document. */
  fits(schema: object, value: unknown): boolean {
    return this.#compile(schema)(value);
  }

  /** Fails unless the answer is one that the document gives for the operation. */
  async expectDeclared({ operation }: Endpoint, response: Response): Promise<unknown> {
    const { status } = response;
    const found = operation.responses[String(status)] ?? operation.responses.default;
    const declared = found && this.#resolve(found);
    if (!declared) throw new Error(`${operation.operationId} does not tell of ${status}`);
    this.seen.add(`${operation.operationId} ${status}`);
    for (const [name, header] of Object.entries(declared.headers ?? {})) {
      if (header.required) expect(response.headers.get(name)).not.toBeNull();
    }
    const text = await response.text();
    if (!declared.content) {
      expect(text).toBe('');
      return undefined;
    }
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
    const media = declared.content[type];
    if (!media) throw new Error(`${operation.operationId} ${status} does not tell of ${type}`);
    if (type === 'text/event-stream') return this.#checkEvents(media, text);
    if (!type.endsWith('json')) return text;
    const body = JSON.parse(text) as unknown;
    this.#check(media.schema ?? {}, body);
    if (type === 'application/problem+json') expect(body).toMatchObject({ status });
    return body;
  }

  #resolve(answer: Operation['responses'][string]): ResponseShape {
    if (!('$ref' in answer)) return answer;
    const shared = this.document.components.responses[String(answer.$ref).split('/').at(-1) ?? ''];
    if (!shared) throw new Error(`there is no ${String(answer.$ref)}`);
    return shared;
  }

  #checkEvents(media: object, text: string): unknown {
    const schemas = (media as { 'x-events': Record<string, object> })['x-events'];
    const events = eventsOf(text);
    expect(events.length).toBeGreaterThan(0);
    for (const { name, data } of events) {
      expect(Object.keys(schemas)).toContain(name);
      this.#check(schemas[name] ?? {}, data);
    }
    return events;
  }

  #check(schema: object, value: unknown): void {
    const validate = this.#compile(schema);
    if (!validate(value)) {
      throw new Error(`${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(value).slice(0, 500)}`);
    }
  }

  #compile(schema: object): ValidateFunction {
    const known = this.#compiled.get(schema);
    if (known) return known;
    const validate = this.#ajv.compile(standalone(schema));
    this.#compiled.set(schema, validate);
    return validate;
  }
}

/** A schema that stands by itself: what it refers to is a schema of its own, not a place in the document. */
function standalone(schema: object): object {
  const text = JSON.stringify(schema).replaceAll('"#/components/schemas/', `"${DEFINITIONS}#/$defs/`);
  return JSON.parse(text) as object;
}

/** Every schema below a part of the document: the values of `schema`, of `schemas` and of `x-events`. */
function* schemasIn(value: unknown): Generator<object> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value as Record<string, unknown>)) {
    if (key === 'schema') yield inner as object;
    else if (key === 'schemas' || key === 'x-events') yield* Object.values(inner as Record<string, object>);
    else yield* schemasIn(inner);
  }
}
