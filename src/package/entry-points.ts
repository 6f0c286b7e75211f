import { PYTHON_SPACE, pythonLines, pythonStrip, shown } from './text.js';

/** Scripts a wheel asks for: name to what stands for it, `module:function`. */
export interface EntryPoints {
  console: Record<string, string>;
  gui: Record<string, string>;
}

/** What an `entry_points.txt` says. */
export interface ReadEntryPoints extends EntryPoints {
  /** The first line of a section that is none of `name = value`: pip installs no wheel with one. */
  fault?: string;
}

/** A script that pip makes. */
export interface Command {
  /** Of its file. */
  name: string;
  module: string;
  /** Function, within objects where it has dots. */
  attribute: string;
}

/**
 * Reads `entry_points.txt` as pip does, by Python's importlib.metadata: names and values around the first `=`, comments on
 * lines of their own. A line before the first section, such as a header behind a byte order mark, is nobody's.
 */
export function parseEntryPoints(text: string): ReadEntryPoints {
  const found = { console: new Map<string, string>(), gui: new Map<string, string>() };
  let fault: string | undefined;
  let section: Map<string, string> | 'other' | undefined;
  for (const raw of pythonLines(text)) {
    const line = pythonStrip(raw);
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[') && line.endsWith(']')) {
      const header = line.replace(/^[[\]]+|[[\]]+$/g, '');
      section = header === 'console_scripts' ? found.console : header === 'gui_scripts' ? found.gui : 'other';
      continue;
    }
    if (section === undefined) continue;
    const equals = line.indexOf('=');
    if (equals < 0) fault ??= line;
    else if (section !== 'other')
      section.set(pythonStrip(line.slice(0, equals)), pythonStrip(line.slice(equals + 1)));
  }
  return {
    ...{ console: Object.fromEntries(found.console), gui: Object.fromEntries(found.gui) },
    ...(fault !== undefined && { fault }),
  };
}

const S = `[${PYTHON_SPACE}]`;
const WORD = '[\\p{L}\\p{N}_]';
/** As distlib, which pip has inside, finds an entry point in a line (`ENTRY_RE`). */
const ENTRY =
  `([^[][^${PYTHON_SPACE}]*)${S}*=${S}*(${WORD}+(?:[:.]${WORD}+)*)${S}*` +
  `(\\[${S}*(?:${WORD}|-)+(?:=${WORD}+)?(?:,${S}*${WORD}+(?:=${WORD}+)?)*${S}*\\])?`;
const ENTRY_AT_START = new RegExp(`^\\[*${ENTRY}`, 'u');
const ENTRY_AT_SPACE = new RegExp(`(?:(?<!${S})(?=${S})|(?=${S}[^${PYTHON_SPACE}]))${ENTRY}`, 'u');

/**
 * The script that pip makes of an entry point; undefined where it makes none and refuses the wheel. What follows the
 * function, such as a comment, is not looked at.
 */
export function commandOf(name: string, target: string): Command | undefined {
  const line = `${name} = ${target}`;
  const [, file = '', path = '', extras] = ENTRY_AT_START.exec(line) ?? ENTRY_AT_SPACE.exec(line) ?? [];
  if (extras === undefined && /[[\]]/.test(line)) return undefined;
  const [module, attribute, more] = path.split(':');
  if (!module || attribute === undefined || more !== undefined) return undefined;
  return { name: file, module, attribute };
}

/** The script pip makes for an entry point, without its first lines. */
export function scriptBody(target: { module: string; attribute: string }): string {
  return [
    '# -*- coding: utf-8 -*-',
    'import re',
    'import sys',
    `from ${target.module} import ${target.attribute.split('.')[0] ?? ''}`,
    `if __name__ == '__main__':`,
    `    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])`,
    `    sys.exit(${target.attribute}())`,
    '',
  ].join('\n');
}

/**
 * The entry points pip makes scripts of, in its order: those of the console, then those of windows. The wheels of pip and of
 * old setuptools bring the names of the Python they were built with; the commands of this Python are made instead.
 */
export function scriptEntries(
  { console: commands, gui }: EntryPoints,
  pythonVersion: string,
): [name: string, target: string][] {
  const { pip, easy_install: easyInstall, ...rest } = commands;
  const [major = '3', minor = '0'] = pythonVersion.split('.');
  const made: [string, string][] = [];
  let others = Object.entries(rest);
  if (pip) {
    made.push(['pip', pip], [`pip${major}`, pip], [`pip${major}.${minor}`, pip]);
    others = others.filter(([name]) => !/^pip(\p{Nd}+(\.\p{Nd}+)?)?$/u.test(name));
  }
  if (easyInstall) {
    made.push(['easy_install', easyInstall], [`easy_install-${major}.${minor}`, easyInstall]);
    others = others.filter(([name]) => !/^easy_install(-\p{Nd}+\.\p{Nd}+)?$/u.test(name));
  }
  return [...made, ...others, ...Object.entries(gui)];
}

/** Why pip installs no wheel with these; undefined where it makes a script of each. */
export function entryPointsFault(read: ReadEntryPoints): string | undefined {
  if (read.fault !== undefined)
    return `has a line in entry_points.txt that is none of "name = module:function": ${shown(read.fault)}`;
  for (const [name, target] of scriptEntries(read, '3.0')) {
    const command = commandOf(name, target);
    if (command && !/[\\/]/.test(command.name)) continue;
    return `has an entry point that cannot be a script: ${shown(name)} = ${shown(target)}`;
  }
  return undefined;
}
