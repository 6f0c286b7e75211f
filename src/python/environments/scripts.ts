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

/** The first line pip gives a script that a wheel brings with `#!python` as its first. */
export function dataScriptHeader(python: string, platform: NodeJS.Platform = process.platform): string {
  return `#!${python}${platform === 'win32' ? '\r\n' : '\n'}`;
}
