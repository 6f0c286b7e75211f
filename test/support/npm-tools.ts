import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** Packages of npm that are no development dependencies, as a project of their own would find them. */
export interface Tools {
  /** Folder with their `node_modules`. */
  folder: string;
  /** Path of a file of one of them. */
  resolve: (specifier: string) => string;
  /** The module itself. */
  load: NodeJS.Require;
}

/**
 * The pinned tools of a file, installed once for each set of pins and kept for the next run; the reason where there is no
 * registry to install them from.
 *
 * @param file - a package.json with the pins as its dependencies
 */
export async function npmTools(file: string | URL): Promise<Tools | string> {
  const pins = await readFile(file);
  const digest = createHash('sha256').update(pins).digest('hex').slice(0, 12);
  const cache = process.env.PROCVISION_TEST_CACHE ?? os.tmpdir();
  const folder = path.join(cache, `procvision-test-tools-${process.getuid?.() ?? 0}-${digest}`);
  if (!existsSync(folder)) {
    const reason = await install(pins, folder);
    if (reason !== undefined) return reason;
  }
  const require = createRequire(path.join(folder, 'package.json'));
  return { folder, resolve: require.resolve, load: require };
}

async function install(pins: Buffer, folder: string): Promise<string | undefined> {
  await mkdir(path.dirname(folder), { recursive: true });
  const made = await mkdtemp(`${folder}.`);
  try {
    await writeFile(path.join(made, 'package.json'), pins);
    const options = [
      'install',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--no-package-lock',
      '--silent',
    ];
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    await promisify(execFile)(npm, options, {
      ...{ cwd: made, timeout: 150_000, shell: process.platform === 'win32' },
    });
    await rename(made, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // another run was sooner
    });
    return undefined;
  } catch (error) {
    return `npm cannot install the tools: ${(error as Error).message.slice(0, 300)}`;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
