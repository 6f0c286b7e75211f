import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { isTemporaryName, readJson, writeJsonAtomic, type Durability } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** Name of the file that is written last into a deployed version: its registry entry, so that it speaks for itself. */
export const VERSION_MARKER = '.procvision-version.json';

const SCHEMA_VERSION = 1;

/** What `registry.json` holds: the truth about versions and mappings. Unknown fields are kept. */
export interface RegistryContent {
  schema_version: number;
  packages: RegistryEntry[];
  /** Mappings by product id. `active/<pid>.json` are copies for other readers. */
  active: Record<string, ActiveMapping>;
  [key: string]: unknown;
}

/** What was found to be wrong with the file, and what was done about it. */
export interface RegistryDamage {
  /** Where the damaged file was put, or undefined when the file stands and only records were left out. */
  setAside?: string;
  problems: string[];
  /** Versions taken up from disk. */
  recovered: { name: string; version: string }[];
}

/** What reading gives: the content, and the damage if there was any. */
export interface RegistryReading {
  content: RegistryContent;
  damage?: RegistryDamage;
}

/** Reads `registry.json`. One that is damaged is rebuilt, in memory, from what the disk proves. */
export async function readRegistry(layout: StoreLayout): Promise<RegistryReading> {
  let raw: unknown;
  try {
    raw = await readJson(layout.registry);
  } catch (error) {
    // Only what it says can be damaged; that the system does not hand it over now proves nothing about it.
    if (!(error instanceof SyntaxError)) throw error;
    return rebuild(layout, [`it is not JSON: ${error.message}`]);
  }
  if (raw === undefined) return { content: emptyContent() };
  if (!isRecord(raw) || !Array.isArray(raw.packages)) return rebuild(layout, ['it has no list of packages']);
  const problems: string[] = [];
  const packages = raw.packages.filter((entry, index): entry is RegistryEntry => {
    const isGood = isEntry(entry);
    if (!isGood) problems.push(`packages.${index} is no registry entry`);
    return isGood;
  });
  const active: Record<string, ActiveMapping> = Object.create(null) as Record<string, ActiveMapping>;
  for (const [pid, mapping] of Object.entries(isRecord(raw.active) ? raw.active : {})) {
    if (isMapping(mapping)) active[pid] = mapping;
    else problems.push(`active.${pid} is no mapping`);
  }
  const content: RegistryContent = {
    ...raw,
    schema_version: typeof raw.schema_version === 'number' ? raw.schema_version : SCHEMA_VERSION,
    packages,
    active,
  };
  if (problems.length === 0) return { content };
  const recovered = await adoptFromDisk(layout, content);
  return { content, damage: { problems, recovered } };
}

/** Writes `registry.json`: the commit point of every change. */
export async function writeRegistry(
  layout: StoreLayout,
  content: RegistryContent,
  durability: Durability,
): Promise<void> {
  await writeJsonAtomic(layout.registry, content, durability);
}

/** Puts the damaged file out of the way, under a name that says when. */
export async function setAside(layout: StoreLayout): Promise<string> {
  const aside = `${layout.registry}.damaged-${new Date().toISOString().replaceAll(':', '-')}`;
  await rename(layout.registry, aside);
  return aside;
}

/** Makes `active/` say what the registry says; only files that differ are touched. */
export async function publishMappings(
  layout: StoreLayout,
  active: RegistryContent['active'],
  durability: Durability,
): Promise<void> {
  const { write, remove } = await differingMappings(layout, active);
  for (const [file, mapping] of write) await writeJsonAtomic(file, mapping, durability);
  for (const file of remove) await rm(file, { force: true });
}

/** Whether `active/` says what the registry says. */
export async function areMappingsPublished(
  layout: StoreLayout,
  active: RegistryContent['active'],
): Promise<boolean> {
  const { write, remove } = await differingMappings(layout, active);
  return write.length === 0 && remove.length === 0;
}

async function differingMappings(
  layout: StoreLayout,
  active: RegistryContent['active'],
): Promise<{ write: [string, ActiveMapping][]; remove: string[] }> {
  const wanted = new Map(Object.values(active).map((mapping) => [layout.active(mapping.pid), mapping]));
  const write: [string, ActiveMapping][] = [];
  for (const [file, mapping] of wanted) {
    const current = await readFile(file, 'utf8').catch(() => undefined);
    if (current !== `${JSON.stringify(mapping, null, 2)}\n`) write.push([file, mapping]);
  }
  const remove = (await readdir(layout.activeRoot).catch(() => []))
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .map((name) => path.join(layout.activeRoot, name))
    .filter((file) => !wanted.has(file));
  return { write, remove };
}

/** Files that a writer of the registry died over, or is writing. */
export async function unfinishedFiles(layout: StoreLayout): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [layout.root, layout.activeRoot]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (isTemporaryName(name)) found.push(path.join(folder, name));
    }
  }
  return found;
}

function emptyContent(): RegistryContent {
  return {
    schema_version: SCHEMA_VERSION,
    packages: [],
    active: Object.create(null) as Record<string, ActiveMapping>,
  };
}

async function rebuild(layout: StoreLayout, problems: string[]): Promise<RegistryReading> {
  const content = emptyContent();
  const recovered = await adoptFromDisk(layout, content);
  for (const name of await readdir(layout.activeRoot).catch(() => [])) {
    if (!name.endsWith('.json') || name.startsWith('.')) continue;
    const mapping = await readJson(path.join(layout.activeRoot, name)).catch(() => undefined);
    const isServed = (found: ActiveMapping) =>
      content.packages.some((entry) => entry.name === found.name && entry.version === found.version);
    if (isMapping(mapping) && isServed(mapping)) content.active[mapping.pid] = mapping;
    else problems.push(`active/${name} names no version that is there`);
  }
  return { content, damage: { problems, recovered, setAside: layout.registry } };
}

/** Takes up every deployed version whose marker is whole and that the content does not list yet. */
async function adoptFromDisk(
  layout: StoreLayout,
  content: RegistryContent,
): Promise<RegistryDamage['recovered']> {
  const recovered: RegistryDamage['recovered'] = [];
  for (const name of await foldersOf(layout.deployedRoot)) {
    for (const version of await foldersOf(path.join(layout.deployedRoot, name))) {
      const marker = path.join(layout.deployedRoot, name, version, VERSION_MARKER);
      const entry = await readJson(marker).catch(() => undefined);
      if (!isEntry(entry) || entry.name !== name || entry.version !== version) continue;
      if (content.packages.some((known) => known.name === name && known.version === version)) continue;
      content.packages.push(entry);
      recovered.push({ name, version });
    }
  }
  return recovered;
}

async function foldersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEntry(value: unknown): value is RegistryEntry {
  return (
    isRecord(value) &&
    typeof value.name === 'string' &&
    typeof value.version === 'string' &&
    typeof value.entry_point === 'string' &&
    Array.isArray(value.supported_pids) &&
    value.supported_pids.every((pid) => typeof pid === 'string')
  );
}

function isMapping(value: unknown): value is ActiveMapping {
  return (
    isRecord(value) &&
    typeof value.pid === 'string' &&
    typeof value.name === 'string' &&
    typeof value.version === 'string' &&
    typeof value.activated_at === 'string'
  );
}
