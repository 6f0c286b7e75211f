import { killScenarios } from './kill-scenarios.js';
import { temporaryFolder } from './temp-folder.js';

/** A folder with a kill scenario prepared in it, which goes when the test ends. */
export async function prepared(name: string): Promise<string> {
  const root = await temporaryFolder();
  await killScenarios[name]?.prepare(root);
  return root;
}
