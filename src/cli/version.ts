import { readFileSync } from 'node:fs';

/** Of the package that this file belongs to, two folders up: both in the sources and in what is published. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
