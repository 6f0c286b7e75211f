import type { StepParameter } from '../../package/types.js';
import type { PictureSize } from '../../parameters/value-rules.js';

/** A value that the host must refuse, and why. */
export interface BadValue {
  key: string;
  value: unknown;
  what: string;
}

/**
 * Parameters of an ordinary call: the defaults, and a valid value of what has none; regions lie inside the picture. An
 * optional text with a pattern and without a default is left out: a text that matches is not known.
 */
export function ordinaryValues(
  params: readonly StepParameter[],
  picture: PictureSize,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const parameter of params) {
    const { key, type, required, pattern, default: standard } = parameter;
    const isGiven = standard !== undefined && standard !== null;
    if (!isGiven && required !== true && pattern !== undefined) continue;
    if (type === 'rect') values[key] = { x: 0, y: 0, width: picture.width, height: picture.height };
    else values[key] = isGiven ? standard : leastValue(parameter);
  }
  return values;
}

function leastValue({ type, choices, min, max, min_length: least }: StepParameter): unknown {
  if (Array.isArray(choices) && choices.length > 0) return choices[0];
  if (type === 'int' || type === 'float') return min ?? Math.min(max ?? 0, 0);
  return type === 'bool' ? false : 'x'.repeat(typeof least === 'number' ? least : 0);
}

/** A value of another type, for each parameter. */
export function wrongTypes(params: readonly StepParameter[]): BadValue[] {
  return params.map(({ key, type }) => ({
    key,
    value: type === 'rect' ? 'not a region' : { unlike: 'all' },
    what: `${key} (${type}) as ${type === 'rect' ? 'a text' : 'an object'}`,
  }));
}

/** Values just past each bound. */
export function pastBounds(params: readonly StepParameter[]): BadValue[] {
  return params.flatMap(({ key, type, min, max, choices, max_length: most, min_length: least }) => {
    const found: BadValue[] = [];
    const add = (value: unknown, what: string) => found.push({ key, value, what: `${key} ${what}` });
    const isNumber = type === 'int' || type === 'float';
    if (isNumber && typeof min === 'number') add(min - 1, `below its min of ${min}`);
    if (isNumber && typeof max === 'number') add(max + 1, `above its max of ${max}`);
    if (type === 'string' && typeof most === 'number') add('x'.repeat(most + 1), `longer than ${most}`);
    if (type === 'string' && typeof least === 'number' && least > 0) add('', `shorter than ${least}`);
    if (type === 'enum' && Array.isArray(choices)) {
      add(`${choices.join('')}-not-a-choice`, 'with a value that is no choice');
    }
    return found;
  });
}

/** Regions that reach one pixel out of the picture. */
export function regionsOutside(params: readonly StepParameter[], picture: PictureSize): BadValue[] {
  const value = { x: 0, y: 0, width: picture.width + 1, height: picture.height };
  return params
    .filter(({ type }) => type === 'rect')
    .map(({ key }) => ({ key, value, what: `${key} one pixel wider than the picture` }));
}
