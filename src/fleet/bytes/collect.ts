import { lstat, rm } from 'node:fs/promises';
import path from 'node:path';
import { sweepSigns } from '../../process/life.js';
import type { Registry } from '../../registry/registry.js';
import { acquireLock } from '../../store/lock.js';
import { namesIn } from '../../store/names-in.js';
import { removeTree } from '../../store/remove-tree.js';
import { RunnerError } from '../../errors.js';
import { sweepWorkFolders } from '../../store/work-folder.js';
import type { ContentStore, KnownPackage } from './content-store.js';

/** What a cut leaves is kept for the next fetch: of so many packages, and so long. */
const MOST_PARTIALS = 2;
const PARTIAL_MS = 7 * 24 * 60 * 60_000;
/** What was written within this time may be of a fetch in another process, whose version is not deployed yet. */
const YOUNG_MS = 24 * 60 * 60_000;

/** Name of the lock of a fetch, beside its folder. */
export function lockOf(folder: string): string {
  return `${folder}.lock`;
}

/** Removes what earlier fetches left and nobody will want: old partial packages, zips of processes that are gone. */
export async function collectPartials(content: ContentStore, wanted: string): Promise<void> {
  await sweepWorkFolders(content.work);
  await sweepSigns(path.dirname(content.partial(wanted)));
  const found: { folder: string; changedMs: number }[] = [];
  for (const digest of await content.partials()) {
    if (digest === wanted) continue;
    const folder = content.partial(digest);
    const stats = await lstat(path.join(folder, 'journal')).catch(() => lstat(folder).catch(() => undefined));
    if (stats) found.push({ folder, changedMs: stats.mtimeMs });
  }
  found.sort((a, b) => b.changedMs - a.changedMs);
  for (const [index, { folder, changedMs }] of found.entries()) {
    if (index < MOST_PARTIALS - 1 && Date.now() - changedMs < PARTIAL_MS) continue;
    await removeUnlessFetched(folder);
  }
}

/** A package that another process fetches just now is left alone. */
async function removeUnlessFetched(folder: string): Promise<void> {
  try {
    await using _lock = await acquireLock(lockOf(folder), { operation: 'collect', timeoutMs: 0 });
    await removeTree(folder);
  } catch (error) {
    if (!RunnerError.is(error, 'lock_timeout')) throw error;
  }
}

/** Removes what is kept of packages that are neither deployed nor in `zips/` any more, and what was cut off while it was written. */
export async function collectKept(
  content: ContentStore,
  { layout, list }: { layout: Registry['layout']; list: () => ReturnType<Registry['list']> },
  known: readonly KnownPackage[],
): Promise<void> {
  const deployed = new Set((await list()).map(({ name, version }) => JSON.stringify([name, version])));
  const kept = known.filter(({ name, version, zip }) => zip ?? deployed.has(JSON.stringify([name, version])));
  const digests = new Set(kept.map(({ manifest }) => manifest.digest));
  const contents = new Set(kept.flatMap(({ manifest }) => manifest.entries.map(({ sha256 }) => sha256)));
  const folder = (name: string) => path.join(layout.content, name);
  await removeOthers(folder('packages'), digests);
  await removeOthers(folder('zips'), await content.zipKeys());
  for (const two of await namesIn(folder('blobs')))
    await removeOthers(path.join(folder('blobs'), two), contents);
}

/** A file that another process writes just now has a name of its own, and is young. */
async function removeOthers(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (kept.has(name)) continue;
    const file = path.join(folder, name);
    const stats = await lstat(file).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > YOUNG_MS) await rm(file, { force: true });
  }
}
