/** Scripts a wheel asks for: name to `module:function`. */
export interface EntryPoints {
  console: Record<string, string>;
  gui: Record<string, string>;
}

/**
 * Reads `entry_points.txt` as pip does, by Python's importlib.metadata: names and values around the first `=`, comments on
 * lines of their own. A line before the first section, such as a header behind a byte order mark, is nobody's.
 */
export function parseEntryPoints(text: string): EntryPoints {
  const found: EntryPoints = { console: {}, gui: {} };
  let section: Record<string, string> | undefined;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = stripped(raw);
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[') && line.endsWith(']')) {
      const header = line.replace(/^[[\]]+|[[\]]+$/g, '');
      section =
        header === 'console_scripts' ? found.console : header === 'gui_scripts' ? found.gui : undefined;
      continue;
    }
    const [, name, target] = /^([^=]*)=(.*)$/s.exec(line) ?? [];
    if (section && name !== undefined && target !== undefined && stripped(name) !== '')
      section[stripped(name)] = stripped(target);
  }
  return found;
}

/** Without white space at its ends, as Python sees it: a byte order mark is none. */
function stripped(text: string): string {
  return text.replace(/^[^\S\ufeff]+|[^\S\ufeff]+$/g, '');
}

/**
 * Module and attribute of one script; undefined for what pip makes no script of. As distlib, which pip has inside, finds
 * them in the line: what follows, such as a comment, is not looked at.
 */
export function parseTarget(target: string): { module: string; attribute: string } | undefined {
  const [, path = '', rest = ''] =
    /^\s*([\p{L}\p{N}_]+(?:[:.][\p{L}\p{N}_]+)*)\s*(.*)$/su.exec(target.replace(/\s+:\s+|\s+:|:\s+/, ':')) ??
    [];
  const [module, attribute, more] = path.split(':');
  if (module === undefined || attribute === undefined || more !== undefined) return undefined;
  const isClear = /^\[[^\]]*\]/.test(rest) || !/[[\]]/.test(rest);
  return isClear ? { module, attribute } : undefined;
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
 * The commands pip makes of a wheel's console scripts. The wheels of pip and of old setuptools bring the names of the
 * Python they were built with; the commands of this Python are made instead.
 */
export function consoleCommands(
  scripts: Record<string, string>,
  pythonVersion: string,
): Record<string, string> {
  const { pip, easy_install: easyInstall, ...rest } = scripts;
  const [major = '3', minor = '0'] = pythonVersion.split('.');
  const made: Record<string, string> = {};
  let others = Object.entries(rest);
  if (pip !== undefined) {
    Object.assign(made, { pip, [`pip${major}`]: pip, [`pip${major}.${minor}`]: pip });
    others = others.filter(([name]) => !/^pip(\d+(\.\d+)?)?$/.test(name));
  }
  if (easyInstall !== undefined) {
    Object.assign(made, { easy_install: easyInstall, [`easy_install-${major}.${minor}`]: easyInstall });
    others = others.filter(([name]) => !/^easy_install(-\d+\.\d+)?$/.test(name));
  }
  return { ...made, ...Object.fromEntries(others) };
}
