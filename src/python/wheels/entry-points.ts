/** Scripts a wheel asks for: name to `module:function`. */
export interface EntryPoints {
  console: Record<string, string>;
  gui: Record<string, string>;
}

/** Reads `entry_points.txt`: an INI file whose keys keep their case. */
export function parseEntryPoints(text: string): EntryPoints {
  const found: EntryPoints = { console: {}, gui: {} };
  let section: Record<string, string> | undefined;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[(.+)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      section =
        header === 'console_scripts' ? found.console : header === 'gui_scripts' ? found.gui : undefined;
      continue;
    }
    const [, name, target] = /^([^=]+?)\s*=\s*(.+)$/.exec(line) ?? [];
    if (section && name !== undefined && target !== undefined) section[name] = target;
  }
  return found;
}

/** `name`, module and attribute of one script; undefined for what pip would not make a script of. */
export function parseTarget(target: string): { module: string; attribute: string } | undefined {
  const [, module, attribute] =
    /^([\p{L}\p{N}_.]+)\s*:\s*([\p{L}\p{N}_.]+)\s*(?:\[.*\])?$/u.exec(target.trim()) ?? [];
  return module !== undefined && attribute !== undefined ? { module, attribute } : undefined;
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
 * The commands pip makes of a wheel's console scripts. pip's own wheel brings the names of the Python it was built
 * with; the command of this Python is made instead.
 */
export function consoleCommands(
  scripts: Record<string, string>,
  pythonVersion: string,
): Record<string, string> {
  const { pip, ...rest } = scripts;
  if (pip === undefined) return rest;
  const [major = '3', minor = '0'] = pythonVersion.split('.');
  const others = Object.entries(rest).filter(([name]) => !/^pip(\d+(\.\d+)?)?$/.test(name));
  return { pip, [`pip${major}`]: pip, [`pip${major}.${minor}`]: pip, ...Object.fromEntries(others) };
}
