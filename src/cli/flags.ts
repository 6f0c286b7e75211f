import { usage } from './host.js';
import type { OptionSpec } from './spec.js';

/** A whole number within bounds. */
export function wholeNumber(flag: string, least: number, most = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw usage(`${flag} takes a whole number ${bounds}, not ${text}`);
  };
}

/** A share between 0 and 1. */
export function share(flag: string) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value < 1) return value;
    throw usage(`${flag} takes a number between 0 and 1, not ${text}`);
  };
}

/** Shares between 0 and 1, rising. */
export function shares(flag: string) {
  return (text: string): number[] => {
    const values = text.split(',').map(share(flag));
    if (values.every((value, at) => at === 0 || value > (values[at - 1] ?? 0))) return values;
    throw usage(`${flag} takes shares that rise, such as 0.25,0.5, not ${text}`);
  };
}

/** How values of 16 bits become 8: the word `shift`, or MIN,MAX. */
export function eightBits(flag: string) {
  return (text: string): 'shift' | { min: number; max: number } => {
    const [, min, max] = /^(\d{1,5}),(\d{1,5})$/.exec(text) ?? [];
    if (text === 'shift') return text;
    if (min !== undefined && max !== undefined) return { min: Number(min), max: Number(max) };
    throw usage(`${flag} takes shift, or two values such as 0,4095, not ${text}`);
  };
}

/** One of some words. */
export function oneOf(flag: string, ...words: string[]) {
  return (text: string): string => {
    if (words.includes(text)) return text;
    throw usage(`${flag} takes ${words.join(' or ')}, not ${text}`);
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function jsonObject(what: string, example = '{"threshold": 0.5}') {
  return (text: string): Record<string, unknown> => {
    const value = json(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    throw usage(`${what} takes a JSON object such as '${example}', not ${text}`);
  };
}

/** A JSON list. */
export function jsonList(flag: string) {
  return (text: string): unknown[] => {
    const value = json(text);
    if (Array.isArray(value)) return value;
    throw usage(`${flag} takes a JSON list such as '[{"posList": []}]', not ${text}`);
  };
}

export const FORCE: OptionSpec = {
  usage: '--force',
  summary: 'do it although the runner advises against it',
};
export const DRY_RUN: OptionSpec = { usage: '--dry-run', summary: 'only say what would happen' };
export const TOKEN_FILE: OptionSpec = {
  usage: '--token-file <file>',
  summary: 'the token that the `serve` asks for',
  kind: 'file',
};
export const WORKER: OptionSpec = {
  usage: '--worker <sdk|bundled>',
  summary: "the package's own adapter, or the worker of this library",
  parse: oneOf('--worker', 'sdk', 'bundled'),
  defaultValue: 'sdk',
};
export const WORKERS: OptionSpec = {
  usage: '--workers <n>',
  summary: 'worker processes of each version',
  parse: wholeNumber('--workers', 1, 1_024),
};
export const AT_ONCE: OptionSpec = {
  usage: '--at-once <n>',
  summary: 'versions that are started side by side',
  parse: wholeNumber('--at-once', 1, 1_024),
  defaultValue: 4,
};

/** How pictures in files become pixels. */
export const PICTURES: readonly OptionSpec[] = [
  {
    usage: '--orientation <apply|ignore>',
    summary: 'what a turn that a picture names does (apply)',
    parse: oneOf('--orientation', 'apply', 'ignore'),
  },
  {
    usage: '--to-eight-bits <rule>',
    summary: 'how values of 16 bits become 8: shift, or MIN,MAX',
    parse: eightBits('--to-eight-bits'),
  },
  {
    usage: '--decode <host|package>',
    summary: "who decodes JPEG and PNG: this library, or the package's own Pillow (host)",
    parse: oneOf('--decode', 'host', 'package'),
  },
];

/** What a call is set to. */
export const CALL: readonly OptionSpec[] = [
  {
    usage: '--step <n>',
    summary: 'the step (the first that the version declares)',
    parse: wholeNumber('--step', 0),
  },
  { usage: '--params <json>', summary: 'parameters of the step', parse: jsonObject('--params') },
  {
    usage: '--guide <file>',
    summary: "picture to compare with, or 'same' (SDK 0.3 and later)",
    kind: 'file',
  },
];
