import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { libraries } from '../environments/environment-paths.js';
import type { WheelEntry } from './wheel-entry.js';

/** Whether one of the environments holds this wheel: the same `.dist-info` with the same METADATA and WHEEL. */
export async function usesWheel(environments: readonly string[], entry: WheelEntry): Promise<boolean> {
  const marks = Object.entries(entry.marks).map(([file, hash]) => `${file},${hash},`);
  for (const environment of environments) {
    for (const library of await libraries(environment)) {
      const record = await readFile(path.join(library, entry.info, 'RECORD'), 'utf8').catch(() => '');
      if (record !== '' && marks.every((mark) => record.includes(mark))) return true;
    }
  }
  return false;
}
