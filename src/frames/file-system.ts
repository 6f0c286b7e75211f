import { statfs } from 'node:fs/promises';

/**
 * File systems of Linux that write a file where it is (`f_type` of statfs(2)): once it has its memory, a mapped write
 * cannot find the system full. On one that writes a copy, or over a network, it can, and that ends the process (SIGBUS).
 */
const WRITES_IN_PLACE: ReadonlySet<number> = new Set([
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
]);

/** Whether files of a folder can be mapped and written without danger to the process. */
export async function isSafeToMap(
  folder: string,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  return platform === 'linux' && WRITES_IN_PLACE.has((await statfs(folder)).type);
}
