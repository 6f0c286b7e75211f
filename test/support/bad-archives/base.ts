import { forgeZip, type ForgedEntry } from '../forge-zip.js';

/** An archive that must be refused. */
export interface BadArchive {
  title: string;
  bytes: () => Buffer;
  /** What the message must say. */
  fault: RegExp;
  /** Entry the message must name, as written in it. */
  entry?: string;
}

/** Two honest entries, the second of which is bent. */
export const GOOD: ForgedEntry = { name: 'project/manifest.json', data: '{"name":"sample"}' };
export const OTHER: ForgedEntry = { name: 'project/main.py', data: 'print("hello")\n'.repeat(20) };

/** Both, as they are. */
export function good(): Buffer {
  return forgeZip([GOOD, OTHER]);
}

/** An honest entry and one of this name. */
export function named(name: string | Buffer, more: Partial<ForgedEntry> = {}): () => Buffer {
  return () => forgeZip([GOOD, { name, data: 'x', ...more }]);
}

/** An honest entry and two of these names. */
export function twice(first: string, second: string): () => Buffer {
  return () => forgeZip([GOOD, { name: first, data: '1' }, { name: second, data: '2' }]);
}

/** Both, the second with these lies. */
export function bent(more: Partial<ForgedEntry>): () => Buffer {
  return () => forgeZip([GOOD, { ...OTHER, ...more }]);
}
