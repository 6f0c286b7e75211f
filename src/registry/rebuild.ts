import { copyFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { readJson } from '../store/atomic-file.js';
import { orNone } from '../store/errno.js';
import type { VersionRef } from '../package/types.js';
import type { StoreLayout } from '../store/layout.js';
import { nameAside, setAside as putAside } from '../store/set-aside.js';
import { firstLack } from './inventory.js';
import { isEntry, isMapping } from './records.js';
import { VERSION_MARKER, type RegistryContent, type RegistryReading } from './registry-file.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** What was found to be wrong with `registry.json`, and what was done about it. */
export interface RegistryDamage {
  /** Where the damaged file was put; undefined when there was none. */
  setAside?: string;
  /** What was wrong, for people. */
  problems: string[];
  /** Versions taken up from disk. */
  recovered: VersionRef[];
}

/**
 * Completes what was read of a damaged registry with what the disk proves: deployed versions by their markers, and,
 * where nothing could be read, mappings by the copies in `active/`. Undefined when nothing is wrong: a store without
 * `registry.json` and without versions is a new one.
 */
export async function completeFromDisk(
  layout: StoreLayout,
  reading: RegistryReading,
): Promise<RegistryDamage | undefined> {
  const { content, state } = reading;
  if (state === 'read' && reading.problems.length === 0) return undefined;
  const problems = [...reading.problems];
  const recovered = await adoptVersions(layout, content, problems);
  if (state !== 'read') problems.push(...(await adoptMappings(layout, content)));
  if (state === 'missing') {
    if (recovered.length === 0 && problems.length === 0) return undefined;
    problems.unshift('it is gone');
  }
  return { problems, recovered };
}

/** Keeps the damaged file under a name that says when: moved when it is of no use, copied when it stands in part. */
export async function setAside(
  layout: StoreLayout,
  state: RegistryReading['state'],
): Promise<string | undefined> {
  if (state === 'missing') return undefined;
  if (state !== 'read') return putAside(layout.registry);
  const aside = nameAside(layout.registry);
  await copyFile(layout.registry, aside);
  return aside;
}

/**
 * Takes up every deployed version that the content does not list yet, whose marker is whole and that has all that was
 * sealed into it; tells those that lack something. In the order of their deployment, which retention goes by.
 */
async function adoptVersions(
  layout: StoreLayout,
  content: RegistryContent,
  problems: string[],
): Promise<RegistryDamage['recovered']> {
  const adopted: RegistryEntry[] = [];
  for (const name of await foldersOf(layout.deployedRoot)) {
    for (const version of await foldersOf(path.join(layout.deployedRoot, name))) {
      if (isListed(content, { name, version })) continue;
      const marker = path.join(layout.deployedRoot, name, version, VERSION_MARKER);
      const entry = await readJson(marker).catch(orNone(undefined));
      if (!isEntry(entry) || entry.name !== name || entry.version !== version) continue;
      const folder = path.dirname(marker);
      const lack = entry.inventory_sha256 === undefined ? undefined : await firstLack(folder, entry);
      if (lack === undefined) adopted.push(entry);
      else
        problems.push(`deployed/${name}/${version} is left out: ${lack} is missing or not as it was sealed`);
    }
  }
  adopted.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  content.packages.push(...adopted);
  return adopted.map(({ name, version }) => ({ name, version }));
}

/** Takes up the mappings of `active/` whose version is there; tells the others. */
async function adoptMappings(layout: StoreLayout, content: RegistryContent): Promise<string[]> {
  const problems: string[] = [];
  for (const file of await readdir(layout.activeRoot).catch(orNone([]))) {
    if (!file.endsWith('.json') || file.startsWith('.')) continue;
    const mapping = await readJson(path.join(layout.activeRoot, file)).catch(orNone(undefined));
    // By the product id in the file: a file system that folds case has one name for two of them.
    if (isMapping(mapping) && isListed(content, mapping)) content.active[mapping.pid] = mapping;
    else problems.push(`active/${file} names no version that is there`);
  }
  return problems;
}

function isListed(
  content: RegistryContent,
  { name, version }: Pick<ActiveMapping, 'name' | 'version'>,
): boolean {
  return content.packages.some((entry) => entry.name === name && entry.version === version);
}

async function foldersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(orNone([]));
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}
