import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temp-folder.js';

/** Why this machine lets no test mount anything; undefined where it does. */
export const NO_MOUNTS = ((): string | undefined => {
  if (process.platform !== 'linux') return 'mounts are made on Linux only';
  if (process.getuid?.() !== 0) return 'mount(8) is for root';
  const folder = fs.mkdtempSync('/tmp/pv-mount-');
  try {
    mount('-t', 'tmpfs', 'tmpfs', folder);
    execFileSync('umount', [folder]);
    return undefined;
  } catch {
    return 'this root may not mount (a container without CAP_SYS_ADMIN)';
  } finally {
    fs.rmdirSync(folder);
  }
})();

/** A disk of its own, in memory; gone when the test ends. */
export async function smallDisk(
  megabytes: number,
  inodes?: number,
): Promise<{ folder: string; fill: () => void }> {
  const folder = path.join(await temporaryFolder(), 'disk');
  fs.mkdirSync(folder);
  const options = `size=${megabytes}m${inodes === undefined ? '' : `,nr_inodes=${inodes}`}`;
  mount('-t', 'tmpfs', '-o', options, 'tmpfs', folder);
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder]);
  });
  return {
    folder,
    fill: () => {
      fillUp(path.join(folder, 'filler'));
    },
  };
}

/** Makes a folder read-only by a mount over it, which binds root too; until the end of the test or the call of what is returned. */
export function readOnly(folder: string): () => void {
  mount('--bind', folder, folder);
  mount('-o', 'remount,ro,bind', folder);
  let isMounted = true;
  const end = () => {
    if (isMounted) execFileSync('umount', ['--lazy', folder]);
    isMounted = false;
  };
  onTestFinished(end);
  return end;
}

/** Writes until there is not one free block. */
function fillUp(file: string): void {
  const descriptor = fs.openSync(file, 'a');
  try {
    for (const bytes of [65_536, 4_096]) {
      try {
        for (;;) fs.writeSync(descriptor, Buffer.alloc(bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: 'pipe' });
}
