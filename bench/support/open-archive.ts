/** Opens the archive it is given and prints how long that took and how much memory the process grew by. */
import { openArchive } from '../../src/package/archive.js';

async function main(file: string): Promise<void> {
  const before = process.memoryUsage.rss();
  const startedAt = performance.now();
  await using archive = await openArchive(file);
  const ms = performance.now() - startedAt;
  console.log(
    JSON.stringify({ ms, bytes: process.memoryUsage.rss() - before, entries: archive.entries.length }),
  );
}

void main(process.argv[2] ?? '');
