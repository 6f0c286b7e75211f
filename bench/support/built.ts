import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file of the library as it is published: what is measured from cold must be what users load. `npm run bench` builds it. */
export function builtFile(file: string): string {
  const found = fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
  if (!existsSync(found)) throw new Error(`${found} is not there: npm run build`);
  return found;
}
