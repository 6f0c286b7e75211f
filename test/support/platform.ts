import { lstatSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const IS_WINDOWS = process.platform === 'win32';

/** Windows under Wine, as test/windows.ts says: what Wine has not, or does otherwise, is skipped there and runs on a real Windows. */
export const IS_WINE = IS_WINDOWS && process.env.PROCVISION_TEST_WINE === '1';

/** Code and signal of a child that was ended by its process id: Windows has no signals, Node ends it with exit code 1. */
export const KILLED_BY_ID = IS_WINDOWS ? [1, null] : [null, 'SIGKILL'];

/** A path as the text of JSON has it: with each `\\` twice. What must not be in an answer is looked for in this form. */
export function inJson(file: string): string {
  return JSON.stringify(file).slice(1, -1);
}

/** Whether symbolic links can be made: on Windows only some users may, and Wine says that it has made one and has not. */
export function canLink(): boolean {
  if (!IS_WINDOWS) return true;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'link-'));
  try {
    const link = path.join(folder, 'link');
    symlinkSync(folder, link);
    return lstatSync(link).isSymbolicLink();
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
