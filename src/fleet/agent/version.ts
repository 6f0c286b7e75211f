import { readFileSync } from 'node:fs';
import { assetPath } from '../../assets.js';

/** Of this library, as its package says; `unknown` in a bundle without it. */
export function libraryVersion(): string {
  try {
    const { version } = JSON.parse(readFileSync(assetPath('../package.json'), 'utf8')) as {
      version?: unknown;
    };
    return typeof version === 'string' ? version : 'unknown';
  } catch {
    return 'unknown';
  }
}
