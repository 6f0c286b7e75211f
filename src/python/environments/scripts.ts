/**
 * The first lines of a script that pip (by distlib) writes for an interpreter. The kernel cuts an interpreter line
 * at 127 bytes (512 on macOS) and at the first space; such a script starts through the shell, which sees a command
 * where Python sees a string.
 */
export function scriptHeader(python: string, platform: NodeJS.Platform = process.platform): string {
  const executable = python.includes(' ') ? `"${python}"` : python;
  if (platform === 'win32') return `#!${executable}\n`;
  const most = platform === 'darwin' ? 512 : 127;
  const isSimple = !python.includes(' ') && Buffer.byteLength(executable) + 3 <= most;
  return isSimple ? `#!${executable}\n` : `#!/bin/sh\n'''exec' ${executable} "$0" "$@"\n' '''\n`;
}

/**
 * The first lines of a script that a wheel brings with `#!python` as its first. Where pip's single line cannot start it,
 * because the path has a space or is too long, it starts through the shell as the others do.
 */
export function dataScriptHeader(python: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') return pipsDataScriptHeader(python, platform);
  return scriptHeader(python, platform);
}

/** The first line that pip gives such a script. */
export function pipsDataScriptHeader(python: string, platform: NodeJS.Platform = process.platform): string {
  return `#!${python}${platform === 'win32' ? '\r\n' : '\n'}`;
}
