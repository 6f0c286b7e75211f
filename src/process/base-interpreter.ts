import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** How to start an interpreter without anything of its environment. */
export interface BaseInterpreter {
  /** Program to start: the interpreter that the environment was made from. */
  command: string;
  /** The environment's interpreter, which `command` is to become; undefined where there is no environment. */
  executable: string | undefined;
  /** Where that interpreter was found no more, and the environment's own is started in its place: on Windows. */
  gone?: string;
}

/** As many links as Linux follows (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * The interpreter that an environment was made from, found without starting anything. The one in the environment
 * is a link to it, or a file that a package may have put there: that is never started. On Windows it is a program that
 * starts the interpreter as its child, and is started in place of a base that is gone: it says so.
 */
export function baseInterpreter(
  python: string,
  platform: NodeJS.Platform = process.platform,
): BaseInterpreter {
  const folder = path.dirname(path.dirname(python));
  const isInside = (file: string) => file.startsWith(folder + path.sep);
  if (!path.isAbsolute(python)) return { command: python, executable: undefined };
  let at = python;
  for (let links = 0; links < MOST_LINKS && isInside(at); links++) {
    const target = linkTarget(at);
    if (target === undefined) break;
    at = path.resolve(path.dirname(at), target);
  }
  if (!isInside(at)) return { command: at, executable: python };
  // Made with copies, on a file system without links; or no environment at all.
  const home = homeOf(folder);
  if (home === undefined || isInside(home + path.sep)) return { command: python, executable: undefined };
  if (platform !== 'win32') return { command: path.join(home, 'python3'), executable: python };
  const base = path.join(home, 'python.exe');
  return existsSync(base)
    ? { command: base, executable: python }
    : { command: python, executable: undefined, gone: base };
}

function linkTarget(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined; // no link, or not there: starting it tells
  }
}

/** `home` of `pyvenv.cfg`: the folder of the interpreter that the environment was made from (PEP 405). */
function homeOf(folder: string): string | undefined {
  try {
    const text = readFileSync(path.join(folder, 'pyvenv.cfg'), 'utf8');
    return /^\s*home\s*=\s*(.+?)\s*$/im.exec(text)?.[1];
  } catch {
    return undefined;
  }
}
