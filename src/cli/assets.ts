import { fileURLToPath } from 'node:url';

/** A file that ships beside the code of the command line. This module stays at the top of its folder, in the build too. */
export function assetPath(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
