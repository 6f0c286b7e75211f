import { describe } from '../options.js';
import type { StepParameter } from '../package/types.js';
import { matchInTime } from './match-in-time.js';
import { pythonPattern } from './python-pattern.js';

/** Size of the picture that a region must lie in, in pixels. */
export interface PictureSize {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
}

/** What is wrong with a value. */
export interface ValueFault {
  /** As a sentence without its subject: "must be …, not …". */
  message: string;
  /** Of the runner's table: 1006 a wrong value, 1007 a region outside the picture. */
  number: '1006' | '1007';
  /** The bound that was passed. */
  bound?: unknown;
}

/** Looks at one value; undefined when it is right. */
export type ValueRule = (value: unknown, picture?: PictureSize) => ValueFault | undefined;

const wrong = (rule: string, value: unknown, bound?: unknown): ValueFault => ({
  message: `must be ${rule}, not ${describe(value)}`,
  number: '1006',
  ...(bound !== undefined && { bound }),
});

/** The rule of a parameter; undefined for a type that is not known, whose values are not looked at. */
export function ruleOf(parameter: StepParameter): ValueRule | undefined {
  return Object.hasOwn(RULES, parameter.type) ? RULES[parameter.type]?.(parameter) : undefined;
}

/** Whether the type is one of the specification's. */
export function isKnownType(type: string): boolean {
  return Object.hasOwn(RULES, type);
}

const RULES: Readonly<Record<string, (parameter: StepParameter) => ValueRule>> = {
  int: (parameter) => {
    const isWithin = range(parameter);
    return (value) =>
      Number.isSafeInteger(value) ? isWithin(value as number) : wrong('a whole number', value);
  },
  float: (parameter) => {
    const isWithin = range(parameter);
    return (value) => (Number.isFinite(value) ? isWithin(value as number) : wrong('a finite number', value));
  },
  bool: () => (value) => (typeof value === 'boolean' ? undefined : wrong('true or false', value)),
  enum: choiceRule,
  string: textRule,
  rect: () => regionFault,
};

/** Bounds that are no numbers bound nothing: `parameterFaults` reports them at the check of the package. */
function range({ min, max, unit }: StepParameter): (value: number) => ValueFault | undefined {
  const of = typeof unit === 'string' && unit !== '' ? ` ${unit}` : '';
  return (value) => {
    if (typeof min === 'number' && value < min) return wrong(`at least ${min}${of}`, value, min);
    if (typeof max === 'number' && value > max) return wrong(`at most ${max}${of}`, value, max);
    return undefined;
  };
}

/** Most choices that a message lists. */
const SHOWN_CHOICES = 12;

function choiceRule({ choices }: StepParameter): ValueRule {
  if (!Array.isArray(choices)) return () => undefined;
  const shown = choices.slice(0, SHOWN_CHOICES).map((choice) => JSON.stringify(choice));
  const list = choices.length > SHOWN_CHOICES ? [...shown, '…'] : shown;
  return (value) =>
    choices.includes(value) ? undefined : wrong(`one of ${list.join(', ')}`, value, choices);
}

function textRule(parameter: StepParameter): ValueRule {
  const { min_length: least, max_length: most, pattern } = parameter;
  const expression = typeof pattern === 'string' ? pythonPattern(pattern) : undefined;
  let matched: string | undefined; // the same value comes again with nearly every call
  return (value) => {
    if (typeof value !== 'string') return wrong('a text', value);
    // Python counts characters, JavaScript the halves of some.
    const isPlain = value.length <= (typeof most === 'number' ? most : Infinity) && typeof least !== 'number';
    const length = isPlain ? value.length : Array.from(value).length;
    if (typeof least === 'number' && length < least) {
      return wrong(`a text of at least ${least} characters`, value, least);
    }
    if (typeof most === 'number' && length > most) {
      return wrong(`a text of at most ${most} characters`, `${length} characters`, most);
    }
    if (!expression || value === matched) return undefined;
    const isMatch = matchInTime(expression, value);
    if (isMatch === undefined) {
      return {
        message: `could not be compared with the pattern ${String(pattern)} within 50 ms`,
        ...{ number: '1006', bound: pattern },
      };
    }
    if (!isMatch) return wrong(`a text that matches ${String(pattern)}`, value, pattern);
    matched = value;
    return undefined;
  };
}

const SIDES = ['x', 'y', 'width', 'height'] as const;

type Region = Record<(typeof SIDES)[number], number>;

/** `{x, y, width, height}` in pixels from the top left, or the text `"x,y,width,height"`, inside of the picture. */
function regionFault(value: unknown, picture?: PictureSize): ValueFault | undefined {
  const region = typeof value === 'string' ? regionOfText(value) : regionOfObject(value);
  if (!region) {
    return wrong('{ x, y, width, height } of numbers, or the text "x,y,width,height"', value);
  }
  for (const side of SIDES) {
    const least = side === 'x' || side === 'y' ? 0 : 1;
    if (!Number.isFinite(region[side]) || region[side] < least) {
      return {
        message: `must have ${side} of at least ${least}, not ${region[side]}`,
        number: '1006',
        bound: least,
      };
    }
  }
  if (!picture) return undefined;
  const [right, bottom] = [region.x + region.width, region.y + region.height];
  if (right <= picture.width && bottom <= picture.height) return undefined;
  return {
    message: `must lie inside of the picture of ${picture.width} x ${picture.height} pixels, and reaches to x = ${right}, y = ${bottom}`,
    number: '1007',
    bound: { width: picture.width, height: picture.height },
  };
}

function regionOfText(text: string): Region | undefined {
  const parts = text
    .split(',')
    .map((part) => (/^\s*-?\d+(\.\d+)?\s*$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length !== 4 || parts.some((part) => Number.isNaN(part))) return undefined;
  const [x = 0, y = 0, width = 0, height = 0] = parts;
  return { x, y, width, height };
}

function regionOfObject(value: unknown): Region | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const sides = value as Partial<Record<string, unknown>>;
  return SIDES.every((side) => typeof sides[side] === 'number') ? (sides as Region) : undefined;
}
