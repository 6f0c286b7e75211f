import { fileURLToPath } from 'node:url';

/**
 * Absolute path of a file that ships beside the compiled modules, such as `validation/probe.py`.
 * This is the one place that knows where the package lies on disk.
 */
export function assetPath(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
