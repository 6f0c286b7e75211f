import type { StepParameter } from '../package/types.js';
import type { ParameterSchema } from './types.js';
import { pythonPattern } from './python-pattern.js';

/** A JSON Schema (draft 2020-12), as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What no value fits. */
const NOTHING: JsonSchema = { not: {} };
const REGION_SIDES = ['x', 'y', 'width', 'height'];
const NUMBER_TEXT = '\\s*\\d+(?:\\.\\d+)?\\s*';
const REGION_TEXT = `^${NUMBER_TEXT}(?:,${NUMBER_TEXT}){3}$`;

/**
 * The parameters of one step as JSON Schema (draft 2020-12), for forms and OpenAPI documents.
 *
 * @returns a schema that takes any object when the step declares no parameters
 */
export function parametersJsonSchema(schema: ParameterSchema, stepIndex: number): JsonSchema {
  const step = schema.steps.find(({ index }) => index === stepIndex);
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `${schema.name} ${schema.version}, step ${stepIndex}`,
    type: 'object',
  };
  if (!step?.params || step.params.length === 0) return head;
  const required = step.params.filter(isNeeded).map(({ key }) => key);
  return {
    ...head,
    properties: Object.fromEntries(step.params.map((parameter) => [parameter.key, schemaOf(parameter)])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

/** Whether a call must bring the parameter. */
export function isNeeded({ required, default: standard }: StepParameter): boolean {
  return required === true && (standard === undefined || standard === null);
}

function schemaOf(parameter: StepParameter): JsonSchema {
  const { description, unit, default: standard } = parameter;
  const words = [description, typeof unit === 'string' && unit !== '' ? `In ${unit}.` : undefined];
  const text = words.filter((word) => typeof word === 'string' && word !== '').join(' ');
  return {
    ...typeOf(parameter),
    ...(text !== '' && { description: text }),
    ...(standard !== undefined && standard !== null && { default: standard }),
  };
}

function typeOf(parameter: StepParameter): JsonSchema {
  const { type, min, max, choices, min_length: least, max_length: most, pattern } = parameter;
  switch (type) {
    case 'int':
    case 'float':
      return {
        type: type === 'int' ? 'integer' : 'number',
        ...(typeof min === 'number' && { minimum: min }),
        ...(typeof max === 'number' && { maximum: max }),
      };
    case 'bool':
      return { type: 'boolean' };
    case 'enum':
      if (!Array.isArray(choices)) return {};
      // An empty enum, or one with a value twice, is no schema to validators.
      return choices.length > 0 ? { enum: [...new Set(choices)] } : NOTHING;
    case 'string': {
      const expression = typeof pattern === 'string' ? pythonPattern(pattern) : undefined;
      return {
        type: 'string',
        ...(typeof least === 'number' && { minLength: Math.max(0, Math.ceil(least)) }),
        ...(typeof most === 'number' && (most < 0 ? NOTHING : { maxLength: Math.floor(most) })),
        // Validators read a pattern with the flag `u`: what is one without it alone is left to the call.
        ...(expression?.unicode && { pattern: portable(expression.source) }),
      };
    }
    case 'rect':
      return {
        oneOf: [
          {
            type: 'object',
            properties: Object.fromEntries(
              REGION_SIDES.map((side, at) => [side, { type: 'number', minimum: at < 2 ? 0 : 1 }]),
            ),
            required: REGION_SIDES,
          },
          { type: 'string', pattern: REGION_TEXT, description: 'x,y,width,height' },
        ],
      };
    default:
      return {};
  }
}

/** Digits as each validator knows them: those that read patterns as Python does refuse a whole schema for `\p{Nd}`. */
function portable(pattern: string): string {
  return pattern.replace(/\\(p\{Nd\}|[\s\S])/g, (escape, token: string) =>
    token === 'p{Nd}' ? '\\d' : escape,
  );
}
