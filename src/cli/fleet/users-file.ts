import { readFile } from 'node:fs/promises';
import type { FleetUsersOptions } from 'procvision-runner/fleet';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';

/** The users of a JSON file; what they must be, the library says. */
export async function readUsers(call: Call, word: string): Promise<FleetUsersOptions> {
  const file = await findFile(call, word, 'file of users');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as FleetUsersOptions;
  } catch (error) {
    throw usage(`${file} is not JSON: ${(error as Error).message}`);
  }
}
