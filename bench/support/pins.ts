import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The pins (`name==version`) of `bench/support/sets/<name>.txt`. */
export async function pinsOf(name: string): Promise<string[]> {
  const file = fileURLToPath(new URL(`./sets/${name}.txt`, import.meta.url));
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
