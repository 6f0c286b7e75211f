import path from 'node:path';
import { IS_WINDOWS } from './platform.js';

/** Where things of an environment are on this system, each below its folder and with `/`. */
export const PYTHON_IN = IS_WINDOWS ? 'Scripts/python.exe' : 'bin/python';

/** Where its scripts are, below its folder. */
export const SCRIPTS_IN = IS_WINDOWS ? 'Scripts' : 'bin';

/** How a program that a wheel asks for is named there. */
export function programName(script: string): string {
  return IS_WINDOWS ? `${script}.exe` : script;
}

/** Its site-packages, below its folder. */
export function siteIn(environment: string, version: string): string {
  const minor = version.split('.').slice(0, 2).join('.');
  return IS_WINDOWS
    ? path.join(environment, 'Lib', 'site-packages')
    : path.join(environment, 'lib', `python${minor}`, 'site-packages');
}
