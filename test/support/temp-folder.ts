import { onTestFinished } from 'vitest';
import { temporaryFolder as folderOfKit } from '../../src/testing/temporary-folder.js';

/** Path of an empty folder that goes when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await folderOfKit();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}
