import { readdir } from 'node:fs/promises';
import { isMissing } from './errno.js';

/** Names of what is in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
