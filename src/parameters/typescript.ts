import type { StepParameter } from '../package/types.js';
import { isNeeded } from './json-schema.js';
import type { ParameterSchema } from './types.js';

/**
 * The source of TypeScript types for the parameters of a version: an interface for each step, for
 * `supervisor.execute<Data, Step1>()`.
 */
export function parametersTypeScript(schema: ParameterSchema): string {
  const title = `Parameters of ${schema.name} ${schema.version}. Generated from the package: do not edit.`;
  const steps = schema.steps.flatMap(({ index, name, params }) => {
    if (!params || params.length === 0) return [];
    const comment = `/** ${commentOf(name ?? `Step ${index}`)} */`;
    return [`${comment}\nexport interface Step${index} {\n${params.map(memberOf).join('')}}\n`];
  });
  return [`/** ${commentOf(title)} */`, ...steps].join('\n');
}

function memberOf(parameter: StepParameter): string {
  const { key, description, unit, default: standard } = parameter;
  const words = [
    ...(typeof description === 'string' && description !== '' ? [description] : []),
    ...(typeof unit === 'string' && unit !== '' ? [`In ${unit}.`] : []),
    ...(standard === undefined || standard === null ? [] : [`@defaultValue ${JSON.stringify(standard)}`]),
  ];
  const comment = words.length > 0 ? `  /** ${commentOf(words.join(' '))} */\n` : '';
  const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
  return `${comment}  ${name}${isNeeded(parameter) ? '' : '?'}: ${typeOf(parameter)};\n`;
}

function typeOf({ type, choices }: StepParameter): string {
  switch (type) {
    case 'int':
    case 'float':
      return 'number';
    case 'bool':
      return 'boolean';
    case 'string':
      return 'string';
    case 'rect':
      return '{ x: number; y: number; width: number; height: number } | string';
    case 'enum':
      return Array.isArray(choices) && choices.length > 0
        ? choices.map((choice) => JSON.stringify(choice)).join(' | ')
        : 'unknown';
    default:
      return 'unknown';
  }
}

/** Text of a package inside of a comment: it must not end the comment. */
function commentOf(text: string): string {
  return text.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ').trim();
}
