/**
 * First lines of a script that starts the interpreter in its own folder, wherever that folder is moved, and when the script is
 * called through a link. The shell sees a command where Python sees a string. A kernel's own interpreter line can hold no
 * place relative to the script, no space, and 127 bytes at most. macOS before 13 has no `realpath`: links to scripts fail there.
 */
export const RELATIVE_HEADER =
  '#!/bin/sh\n' +
  `'''exec' "$(dirname -- "$(realpath -- "$0" 2>/dev/null || echo "$0")")"/python "$0" "$@"\n` +
  `' '''\n`;

/** First lines of a script that is written here; Windows knows no other than an absolute path in them. */
export function scriptHeader(python: string, platform: NodeJS.Platform = process.platform): string {
  if (platform !== 'win32') return RELATIVE_HEADER;
  return `#!${python.includes(' ') ? `"${python}"` : python}\r\n`;
}

/** The interpreter that scripts of pip name, and its line in each: they are replaced afterwards. */
export const NAMED_PYTHON = '/procvision-python';
const NAMED_HEADER = Buffer.from(`#!${NAMED_PYTHON}\n`);

/** A script of pip with {@link RELATIVE_HEADER}; undefined for what does not name {@link NAMED_PYTHON}. */
export function relativeScript(content: Buffer): Buffer | undefined {
  if (!content.subarray(0, NAMED_HEADER.length).equals(NAMED_HEADER)) return undefined;
  return Buffer.concat([Buffer.from(RELATIVE_HEADER), content.subarray(NAMED_HEADER.length)]);
}

/** What launchers of distlib since 0.3.0 take for their own folder (`PC/launcher.c`, `RELATIVE_PREFIX`). */
const LAUNCHER_FOLDER = '<launcher_dir>\\';
const END_OF_DIRECTORY = Buffer.from('PK\x05\x06', 'latin1');

/**
 * A launcher of Windows, with the interpreter's line between program and zip made relative to its own folder; undefined for
 * launchers that know no such line, and for other files.
 */
export function relativeLauncher(content: Buffer): Buffer | undefined {
  const end = content.lastIndexOf(END_OF_DIRECTORY);
  if (end === -1 || end + 22 > content.length || !content.includes(LAUNCHER_FOLDER, 0, 'utf16le'))
    return undefined;
  const zip = end - content.readUInt32LE(end + 12) - content.readUInt32LE(end + 16);
  const line = content.lastIndexOf('#!', zip, 'latin1');
  if (zip < 0 || line === -1) return undefined;
  const text = content.toString('latin1', line, zip);
  const [, python] = /^#!"?[^<"\r\n]*[\\/](pythonw?\.exe)"?[ \t]*[\r\n]+$/i.exec(text) ?? [];
  if (python === undefined) return undefined;
  const relative = Buffer.from(`#!${LAUNCHER_FOLDER}${python}\r\n`, 'latin1');
  return Buffer.concat([content.subarray(0, line), relative, content.subarray(zip)]);
}
