import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../../src/testing/temporary-folder.js';

const run = promisify(execFile);

/** Releases whose results were compared. */
const PINS = ['numpy==2.4.6', 'opencv-python-headless==5.0.0.93', 'pillow==13.0.0', 'tifffile==2026.3.3'];
const folder = path.join(
  process.env.PROCVISION_TEST_CACHE ?? os.tmpdir(),
  `procvision-test-pictures-${process.getuid?.() ?? 0}-${PINS.join('-').replaceAll(/[^\d.]+/g, '-')}`,
);

/**
 * NumPy, OpenCV, Pillow and tifffile for `python3`, to compare pictures with: a folder for PYTHONPATH, which is kept for the
 * next run; undefined where there is no index to take them from, or Python is too old for them.
 */
export async function pictureLibraries(): Promise<string | undefined> {
  if (existsSync(folder)) return folder;
  const made = `${folder}.${randomUUID()}`;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
  try {
    await run('python3', [...pip, '--target', made, ...PINS], { timeout: 120_000 });
    await rename(made, folder);
  } catch {
    await rm(made, { recursive: true, force: true });
  }
  return existsSync(folder) ? folder : undefined; // another process may have been quicker
}

/** Runs a script with them; its first argument is the path of `input` as JSON. Gives what it prints, as JSON. */
export async function runWithLibraries(script: string, input: unknown): Promise<unknown> {
  await using temporary = await temporaryFolder();
  const place = path.join(temporary.path, 'input.json');
  await writeFile(place, JSON.stringify(input));
  const { stdout } = await run('python3', ['-c', script, place], {
    env: { ...process.env, PYTHONPATH: folder },
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as unknown;
}
