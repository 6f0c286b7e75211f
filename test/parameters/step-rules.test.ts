import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StepParameter } from '../../src/package/types.js';
import { CallParameters } from '../../src/parameters/call-parameters.js';
import { parametersJsonSchema } from '../../src/parameters/json-schema.js';
import { parameterFaults } from '../../src/parameters/parameter-faults.js';
import { pythonPattern } from '../../src/parameters/python-pattern.js';
import { StepRules } from '../../src/parameters/step-rules.js';
import { parametersTypeScript } from '../../src/parameters/typescript.js';

const version = { name: 'gap-check', version: '2.0.0' };

/** One step of each type. */
const steps = [
  {
    index: 1,
    params: [
      { key: 'count', type: 'int', min: 0, max: 9, default: 3 },
      { key: 'gain', type: 'float', min: 0.5, max: 2, unit: 'mm' },
    ],
  },
  {
    index: 2,
    params: [
      { key: 'code', type: 'string', min_length: 2, max_length: 4, pattern: '[A-Z]+', required: true },
      { key: 'note', type: 'string', max_length: 3 },
    ],
  },
  {
    index: 3,
    params: [
      { key: 'mode', type: 'enum', choices: ['fast', 'exact', 2] },
      { key: 'invert', type: 'bool' },
    ],
  },
  {
    index: 4,
    params: [
      { key: 'region', type: 'rect' },
      { key: 'model', type: 'tensor' },
    ],
  },
  { index: 5, params: [] },
];
const calls = new CallParameters(version, steps);
const picture = { width: 640, height: 480 };
const box = { x: 0, y: 0, width: 10, height: 10 };

function valuesOf(stepIndex: number, given: Record<string, unknown>, kept?: Record<string, unknown>) {
  const values = calls.of(stepIndex, { given, kept });
  calls.checkRegions(stepIndex, values, picture);
  return values;
}

describe('a value of a call', () => {
  test.each<[step: number, given: Record<string, unknown>, values: Record<string, unknown>]>([
    [1, {}, { count: 3 }],
    [1, { count: 0, gain: 2 }, { count: 0, gain: 2 }],
    [2, { code: 'AB' }, { code: 'AB' }],
    [2, { code: 'ABCD', note: '𝄞𝄞𝄞' }, { code: 'ABCD', note: '𝄞𝄞𝄞' }],
    [3, { mode: 2, invert: false }, { mode: 2, invert: false }],
    [4, { region: '600, 400, 40, 80' }, { region: '600, 400, 40, 80' }],
    [4, { region: { ...box, label: 'a' }, model: [1] }, { region: { ...box, label: 'a' }, model: [1] }],
    [5, { whatever: 1 }, { whatever: 1 }],
    [9, { whatever: 1 }, { whatever: 1 }],
  ])('that fits step %i passes: %j', (stepIndex, given, values) => {
    expect(valuesOf(stepIndex, given)).toEqual(values);
  });

  type BadValue = [step: number, key: string, value: unknown, message: RegExp, bound?: unknown];
  test.each<BadValue>([
    ...[1.5, '3', null, true, Number.NaN, Infinity, [], {}, 2 ** 60].map(
      (value) => [1, 'count', value, /^must be a whole number, not /] as BadValue,
    ),
    [1, 'count', -1, /^must be at least 0, not -1$/, 0],
    [1, 'count', 10, /^must be at most 9, not 10$/, 9],
    ...['1', null, false, Number.NaN, -Infinity, [1], {}].map(
      (value) => [1, 'gain', value, /^must be a finite number, not /] as BadValue,
    ),
    [1, 'gain', 0.49, /^must be at least 0.5 mm, not 0.49$/, 0.5],
    [1, 'gain', 2.01, /^must be at most 2 mm, not 2.01$/, 2],
    ...[1, null, true, ['AB'], {}].map((value) => [2, 'code', value, /^must be a text, not /] as BadValue),
    [2, 'code', 'A', /^must be a text of at least 2 characters, not 'A'$/, 2],
    [2, 'code', '', /^must be a text of at least 2 characters/, 2],
    [2, 'code', 'ABCDE', /^must be a text of at most 4 characters, not '5 characters'$/, 4],
    [2, 'code', 'Ab', /^must be a text that matches \[A-Z\]\+, not 'Ab'$/, '[A-Z]+'],
    [2, 'code', 'AB\n', /^must be a text that matches/, '[A-Z]+'],
    [2, 'code', undefined, /^must be given$/],
    [2, 'note', 'four', /^must be a text of at most 3 characters/, 3],
    ...['slow', '2', null, true, ['fast'], {}].map(
      (value) =>
        [3, 'mode', value, /^must be one of "fast", "exact", 2, not /, ['fast', 'exact', 2]] as BadValue,
    ),
    ...[0, 1, 'true', null, []].map(
      (value) => [3, 'invert', value, /^must be true or false, not /] as BadValue,
    ),
    ...[
      '1,2,3',
      '1,2,3,x',
      '1,2,3,4,5',
      '',
      7,
      null,
      [0, 0, 1, 1],
      { x: 0, y: 0, width: 1 },
      { ...box, x: '0' },
    ].map((value) => [4, 'region', value, /^must be \{ x, y, width, height \} of numbers/] as BadValue),
    [4, 'region', { ...box, x: -1 }, /^must have x of at least 0, not -1$/, 0],
    [4, 'region', { ...box, height: 0 }, /^must have height of at least 1, not 0$/, 1],
    [4, 'region', { ...box, width: Number.NaN }, /^must have width of at least 1, not NaN$/, 1],
    [4, 'region', '0,-5,1,1', /^must have y of at least 0, not -5$/, 0],
  ])('that does not fit step %i is refused: %s = %j', (stepIndex, key, value, message, bound) => {
    const given = stepIndex === 2 && key === 'note' ? { code: 'AB', [key]: value } : { [key]: value };
    const fault = { path: `userParams.${key}`, message: expect.stringMatching(message) as string };
    expect(() => valuesOf(stepIndex, given)).toThrow(
      expect.objectContaining({
        code: 'invalid_params',
        errorCode: '1006',
        details: {
          ...{ ...version, path: `userParams.${key}` },
          issues: expect.arrayContaining([bound === undefined ? fault : { ...fault, bound }]) as unknown,
        },
      }),
    );
  });

  test('a region that reaches out of the picture is 1007 with the size of the picture', () => {
    for (const region of [{ ...box, x: 631 }, '0,471,10,10', { ...box, width: 641 }]) {
      expect(() => valuesOf(4, { region })).toThrow(
        expect.objectContaining({
          ...{ code: 'invalid_params', errorCode: '1007' },
          message: expect.stringMatching(
            /inside of the picture of 640 x 480 pixels, and reaches to x = /,
          ) as string,
        }),
      );
    }
    expect(valuesOf(4, { region: { ...box, x: 630 } })).toEqual({ region: { ...box, x: 630 } });
  });

  test('a name that no parameter has is refused with the nearest', () => {
    expect(() => valuesOf(1, { counts: 1 })).toThrow(
      /userParams\.counts is no parameter of step 1\. Did you mean count\? Known are count, gain/,
    );
    expect(() => valuesOf(3, { exposure: 1 })).toThrow(
      /exposure is no parameter of step 3\. Known are mode, invert/,
    );
  });

  test('all faults are named at once', () => {
    expect(() => valuesOf(1, { count: -1, gain: 9, other: 1 })).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({
          issues: ['other', 'count', 'gain'].map(
            (key) => expect.objectContaining({ path: `userParams.${key}` }) as unknown,
          ),
        }) as unknown,
      }),
    );
  });
});

test('values of the request come before those that are kept, these before the package’s own, these before defaults', () => {
  const own = new CallParameters(version, steps);
  own.standard = { values: { count: 5, gain: 1.5, foreign: 1 }, exceptFor: new Set(['B']) };
  expect(own.of(1, { productId: 'A', given: {}, kept: undefined })).toEqual({ count: 5, gain: 1.5 });
  expect(own.of(1, { productId: 'A', given: { count: 1 }, kept: { count: 2, gain: 1 } })).toEqual({
    count: 1,
    gain: 1,
  });
  expect(own.of(1, { productId: 'B', given: undefined, kept: { code: 'AB' } })).toEqual({ count: 3 });
  expect(own.of(9, { productId: 'A', given: { a: 1 }, kept: { b: 2 } })).toMatchObject({ a: 1, b: 2 });
});

test('a version without a schema takes any values, kept ones beneath', () => {
  const free = new CallParameters(version, undefined);
  expect(free.of(1, { given: undefined, kept: undefined })).toBeUndefined();
  expect(free.of(1, { given: { a: 1 }, kept: { a: 0, b: 2 } })).toEqual({ a: 1, b: 2 });
});

test('whatever a package declares and a call hands over, the answer is values or invalid_params', () => {
  const json = fc.jsonValue();
  const parameter = fc.record(
    {
      key: fc.string({ minLength: 1 }),
      type: fc.constantFrom('int', 'float', 'string', 'enum', 'bool', 'rect', 'other', '__proto__'),
      ...{ min: json, max: json, choices: json, min_length: json, max_length: json, default: json },
      pattern: fc.oneof(json, fc.string()),
      required: json,
    },
    { requiredKeys: ['key', 'type'] },
  );
  fc.assert(
    fc.property(fc.array(parameter, { maxLength: 5 }), fc.dictionary(fc.string(), json), (params, given) => {
      const declared = [{ index: 1, params: params as unknown as StepParameter[] }];
      parameterFaults(declared);
      parametersJsonSchema({ ...version, steps: declared }, 1);
      try {
        expect(new CallParameters(version, declared).of(1, { given, kept: undefined })).toMatchObject(given);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_params' });
      }
    }),
  );
});

/** A parameter of the specification, and values of which some fit it. */
const declared: fc.Arbitrary<[StepParameter, unknown]> = fc
  .constantFrom('int', 'float', 'string', 'enum', 'bool', 'rect')
  .chain((type) => {
    const bound = fc.option(fc.integer({ min: -20, max: 20 }), { nil: undefined });
    const length = fc.option(fc.integer({ min: -1, max: 6 }), { nil: undefined });
    const choices = fc.array(fc.oneof(fc.string({ maxLength: 2 }), fc.integer(), fc.boolean()), {
      maxLength: 4,
    });
    const parameter = fc.record({
      ...{ key: fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'), type: fc.constant(type) },
      ...{ min: bound, max: bound, min_length: length, max_length: length, choices },
      ...{ required: fc.boolean(), pattern: fc.constantFrom(undefined, '[a-c]+', 'x|yz') },
    });
    const side = fc.integer({ min: -1, max: 5 });
    const value = fc.oneof(
      ...[fc.integer({ min: -30, max: 30 }), fc.double({ min: -30, max: 30, noNaN: true }), fc.boolean()],
      ...[fc.string({ maxLength: 8, unit: 'grapheme' }), fc.constantFrom('abc', 'x', null, undefined, [])],
      fc.record({ x: side, y: side, width: side, height: side }),
      fc.tuple(side, side, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })).map(String),
    );
    return fc.tuple(parameter, value);
  });

test('the JSON Schema of a step takes the values that a call takes, and no others', () => {
  const ajv = new Ajv2020({ strict: false, unicodeRegExp: true });
  fc.assert(
    fc.property(fc.uniqueArray(declared, { selector: ([{ key }]) => key, maxLength: 4 }), (pairs) => {
      const schema = { ...version, steps: [{ index: 1, params: pairs.map(([parameter]) => parameter) }] };
      const given = Object.fromEntries(
        pairs.filter(([, value]) => value !== undefined).map(([{ key }, value]) => [key, value]),
      );
      const { $schema: _, ...rules } = parametersJsonSchema(schema, 1);
      const fits = ajv.validate(rules, given);
      const { faults } = new StepRules(schema.steps).fill(1, given);
      expect({ given, fits, faults }).toEqual({ given, fits: faults.length === 0, faults });
    }),
  );
});

test('a pattern of Python means the same here, or is not checked', () => {
  const cases: [pattern: string, text: string, matches: boolean | undefined][] = [
    ['(?P<a>x)(?P=a)', 'xx', true],
    ['\\Aab\\Z', 'ab', true],
    ['a{,2}', 'aaa', false],
    ['a{,2}', 'aa', true],
    ['\\-\\d+', '-12', true],
    ['[\\]-]+', ']-', true],
    ['[]a]+', ']a]', true],
    ['[^]a]+', 'bc', true],
    ['[^]a]+', ']', false],
    ['[a[]+', 'a[', true],
    ['\\[]', '[]', true],
    ['\\w+', 'a b', false],
    ['\\w+', '产品', true],
    ['[\\w-]+', 'Größe-1', true],
    ['[^\\W\\d]+', 'é', true],
    ['[^\\W\\d]+', '１', false],
    ['\\W', '产', false],
    ['[\\W]', '‿', true],
    ['\\d+', '１２', true],
    ['\\D+', '１２', false],
    ['\\s+', '\u001c\u3000', true],
    ['\\s', '\ufeff', false],
    ['[\\s\\S]', '\u2028', true],
    ['.', '\u2028', true],
    ['.', '\n', false],
    ['[.]', 'a', false],
    ['a\\b.é\\B.', 'a é ', false],
    ['a\\b.é\\Bé', 'a éé', true],
    ['\\U0001F600[\\a]', '😀\u0007', true],
    ['\\_\\-\\ \\"', '_- "', true],
    ['\\w}', 'a}', undefined],
    ['(?i)abc', 'ABC', undefined],
    ['(a)(?(1)b|c)', 'ab', undefined],
    ['a++', 'aa', undefined],
    ['(?>a)', 'a', undefined],
    ['(', '', undefined],
    ['\\(?\\+', '(+', true],
  ];
  for (const [pattern, text, matches] of cases) {
    expect({ pattern, matches: pythonPattern(pattern)?.test(text) }).toEqual({ pattern, matches });
  }
});

test('a pattern that takes too long for a text is broken off, and the text refused', () => {
  const slow = new CallParameters(version, [
    { index: 1, params: [{ key: 'code', type: 'string', pattern: '(a|b|ab)*c' }] },
  ]);
  expect(() => slow.of(1, { given: { code: 'ab'.repeat(40) }, kept: undefined })).toThrow(
    /userParams\.code (could not be compared with the pattern|must be a text that matches)/,
  );
});

test('the schema of a step is JSON Schema and TypeScript', () => {
  const schema = { ...version, steps };
  expect(parametersJsonSchema(schema, 2)).toEqual({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'gap-check 2.0.0, step 2',
    type: 'object',
    properties: {
      code: { type: 'string', minLength: 2, maxLength: 4, pattern: '^(?:[A-Z]+)$' },
      note: { type: 'string', maxLength: 3 },
    },
    required: ['code'],
    additionalProperties: false,
  });
  expect(parametersJsonSchema(schema, 5)).not.toHaveProperty('additionalProperties');
  const source = parametersTypeScript({
    ...version,
    steps: [
      ...steps.slice(0, 3),
      { index: 6, name: 'ends */ here', params: [{ key: 'a-b', type: 'bool', description: '*/ export' }] },
    ],
  });
  expect(source).toContain(
    'export interface Step1 {\n  /** @defaultValue 3 */\n  count?: number;\n  /** In mm. */\n  gain?: number;\n}',
  );
  expect(source).toContain('  code: string;\n');
  expect(source).toContain('mode?: "fast" | "exact" | 2;');
  expect(source).toContain(
    '/** ends * / here */\nexport interface Step6 {\n  /** * / export */\n  "a-b"?: boolean;',
  );
});

test('the JSON Schema of a pattern names digits by \\d, which validators read that know no classes of Unicode', () => {
  const patterns = [
    ['[A-Z]\\d{3}', '^(?:[A-Z]\\d{3})$'],
    ['[\\d-]+', '^(?:[\\d-]+)$'],
    ['\\\\p{1}', '^(?:\\\\p{1})$'],
  ] as const;
  for (const [declared, pattern] of patterns) {
    const params: StepParameter[] = [{ key: 'code', type: 'string', pattern: declared }];
    expect(parametersJsonSchema({ ...version, steps: [{ index: 1, params }] }, 1)).toMatchObject({
      properties: { code: { type: 'string', pattern } },
    });
  }
});

test('what a package declares wrongly is named', () => {
  const params: StepParameter[] = [
    { key: 'a', type: 'colour' },
    { key: 'b', type: 'int', min: 5, max: 1 },
    { key: 'c', type: 'enum' },
    { key: 'd', type: 'string', pattern: '(' },
    { key: 'e', type: 'float', max: 1, default: 2 },
    { key: 'e', type: 'bool' },
    { key: 'f', type: 'int', min: '1' as unknown as number },
    { key: 'g', type: 'string', min_length: 3, max_length: 2 },
    { key: 'h', type: 'bool', required: true, default: false },
    { key: 'fine', type: 'float', min: 0, max: 1, default: 0.5 },
  ];
  expect(parameterFaults([{ index: 2, params }]).map(({ path, message }) => `${path} ${message}`)).toEqual([
    expect.stringMatching(/^step 2, a has the type "colour": known are int/),
    'step 2, b has min and max that no value meets: 5 is above 1',
    'step 2, c is an enum without choices',
    'step 2, d has a pattern that cannot be checked outside of Python',
    'step 2, e has a default that its own rule refuses: it must be at most 1, not 2',
    'step 2, e is declared twice: the last one counts',
    'step 2, f has min and max that are no numbers',
    'step 2, g has min_length and max_length that no value meets: 3 is above 2',
    'step 2, h is required and has a default: the default is used',
  ]);
});
