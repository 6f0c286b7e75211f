import fc, { type Arbitrary } from 'fast-check';

/** A JSON Schema, as far as the runner's OpenAPI document uses it for what comes in. */
export interface Schema {
  $ref?: string;
  type?: 'object' | 'array' | 'string' | 'boolean' | 'integer' | 'number';
  minimum?: number;
  maximum?: number;
  contentEncoding?: 'base64';
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: false | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  enum?: unknown[];
  oneOf?: Schema[];
  examples?: unknown[];
  default?: unknown;
  description?: string;
}

const KNOWN = new Set(
  'type properties required additionalProperties items minItems maxItems minLength maxLength pattern minimum maximum contentEncoding enum oneOf examples default description'.split(
    ' ',
  ),
);

/** Generators of values that fit schemas, and of values that do not. */
export class SchemaValues {
  readonly #definitions: Record<string, Schema>;

  constructor(definitions: Record<string, Schema>) {
    this.#definitions = definitions;
  }

  /** The value that the document gives as its example. */
  example(schema: Schema): unknown {
    const { type, properties = {}, required = [], items, oneOf, examples } = this.#resolve(schema);
    if (examples) return examples[0];
    if (oneOf?.[0]) return this.example(oneOf[0]);
    if (type === 'array' && items) return [this.example(items)];
    return Object.fromEntries(
      required.map((name) => [name, this.example(properties[name] ?? missing(`a schema of ${name}`))]),
    );
  }

  /** Values that fit. */
  good(schema: Schema): Arbitrary<unknown> {
    const one = this.#resolve(schema);
    if (one.enum) return fc.constantFrom(...one.enum);
    if (one.oneOf) return fc.oneof(...one.oneOf.map((choice) => this.good(choice)));
    if (one.type === 'boolean') return fc.boolean();
    if (one.pattern !== undefined) return fc.stringMatching(new RegExp(one.pattern));
    if (one.type === 'string') return text(one.minLength ?? 0, Math.min(one.maxLength ?? 40, 40));
    if (one.type === 'integer')
      return fc.integer({ min: one.minimum ?? 0, max: Math.min(one.maximum ?? 99, 2 ** 31 - 1) });
    if (one.type === 'number')
      return fc.double({ min: one.minimum ?? 0, max: one.maximum ?? 99, noNaN: true });
    if (one.type === 'array') {
      const { minItems = 0, maxItems = 4, items = missing('items') } = one;
      return fc.array(this.good(items), { minLength: minItems, maxLength: Math.min(maxItems, 4) });
    }
    if (one.type !== 'object') return missing(`a type in ${JSON.stringify(one)}`);
    const { properties = {}, required = [] } = one;
    const model = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, this.good(property)]),
    );
    return fc.record(model, { requiredKeys: required });
  }

  /** Values that do not fit, each for one reason. */
  bad(schema: Schema): Arbitrary<unknown> {
    const one = this.#resolve(schema);
    if (one.enum) return fc.string().filter((value) => !one.enum?.includes(value));
    if (one.oneOf) return fc.oneof(...one.oneOf.map((choice) => this.#badEverywhere(choice)));
    if (one.type === 'boolean')
      return fc.oneof(fc.constantFrom('', 'yes', '1', null, 0, [], {}), fc.string({ minLength: 6 }));
    if (one.type === 'string') return this.#badText(one);
    if (one.type === 'array') return this.#badArray(one);
    if (one.type === 'integer' || one.type === 'number') return this.#badNumber(one);
    return this.#badObject(one);
  }

  /** Also no other shape of a `oneOf`: no object at all, or with a property that none has. */
  #badEverywhere(schema: Schema): Arbitrary<unknown> {
    const extra = this.good(schema).map((value) => ({ ...(value as object), 'not known': 1 }));
    return fc.oneof(extra, NO_OBJECT, fc.constant({}));
  }

  #badText({ minLength = 0, maxLength = Infinity }: Schema): Arbitrary<unknown> {
    const choices: Arbitrary<unknown>[] = [
      fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom(null, [], {}, ['a'])),
    ];
    if (minLength > 0) choices.push(fc.constant(''));
    if (maxLength < Infinity) choices.push(text(maxLength + 1, maxLength + 50));
    return fc.oneof(...choices);
  }

  #badNumber({ type, minimum, maximum }: Schema): Arbitrary<unknown> {
    const choices: Arbitrary<unknown>[] = [
      fc.oneof(fc.string(), fc.boolean(), fc.constantFrom(null, [], {}, '1')),
    ];
    if (minimum !== undefined)
      choices.push(fc.integer({ min: 1, max: 1000 }).map((below) => minimum - below));
    if (maximum !== undefined)
      choices.push(fc.integer({ min: 1, max: 1000 }).map((above) => maximum + above));
    if (type === 'integer') choices.push(fc.constant(1.5));
    return fc.oneof(...choices);
  }

  #badArray({ items = missing('items'), minItems = 0, maxItems = Infinity }: Schema): Arbitrary<unknown> {
    const choices: Arbitrary<unknown>[] = [
      fc.oneof(fc.string(), fc.integer(), fc.constantFrom(null, {})),
      fc
        .tuple(fc.array(this.good(items), { maxLength: 2 }), this.bad(items))
        .map(([fit, unfit]) => [...fit, unfit]),
    ];
    if (minItems > 0) choices.push(fc.constant([]));
    if (maxItems < Infinity)
      choices.push(this.good(items).map((item) => Array<unknown>(maxItems + 1).fill(item)));
    return fc.oneof(...choices);
  }

  #badObject(schema: Schema): Arbitrary<unknown> {
    const { properties = {}, required = [], additionalProperties } = schema;
    const good = this.good(schema).map((value) => value as Record<string, unknown>);
    const choices: Arbitrary<unknown>[] = [NO_OBJECT];
    for (const [name, property] of Object.entries(properties)) {
      choices.push(fc.tuple(good, this.bad(property)).map(([value, unfit]) => ({ ...value, [name]: unfit })));
    }
    for (const name of required) {
      choices.push(
        good.map((value) => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))),
      );
    }
    if (additionalProperties === false) {
      const strange = fc
        .oneof(fc.constantFrom('Name', 'pid', '', 'constructor'), fc.string())
        .filter((key) => !(key in properties) && key !== '__proto__');
      choices.push(fc.tuple(good, strange).map(([value, key]) => ({ ...value, [key]: 1 })));
    }
    return fc.oneof(...choices);
  }

  /** @throws Error for a keyword that nobody here generates values by: the document must not outgrow the test */
  #resolve(schema: Schema): Schema {
    const { $ref } = schema;
    if ($ref !== undefined) {
      const name = $ref.replace('#/components/schemas/', '');
      return this.#resolve(this.#definitions[name] ?? missing($ref));
    }
    for (const keyword of Object.keys(schema)) {
      if (!KNOWN.has(keyword)) missing(`a generator for ${keyword}`);
    }
    return schema;
  }
}

const NO_OBJECT = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constantFrom(null, [], ['a']));

/** Text of so many code points, often hostile, never with a lone surrogate. */
function text(minLength: number, maxLength: number): Arbitrary<string> {
  const hostile = ['..', '../..', '/', '\\', 'C:', '\0', '__proto__', '%2e%2e', '\u202e', '\u{1F600}'];
  const fitting = hostile.filter(
    (value) => Array.from(value).length >= minLength && Array.from(value).length <= maxLength,
  );
  const any = fc.string({ minLength, maxLength, unit: 'binary' });
  return fitting.length > 0 ? fc.oneof({ weight: 3, arbitrary: any }, fc.constantFrom(...fitting)) : any;
}

function missing(what: string): never {
  throw new Error(`The test needs ${what}`);
}
