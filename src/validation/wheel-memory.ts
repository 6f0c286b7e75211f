import type { RunnerError } from '../errors.js';
import type { WheelMetadata } from '../package/wheel-metadata.js';

/** What was found in a wheel. */
export interface WheelFacts {
  metadata: WheelMetadata;
  /** Sum of the unpacked sizes of its entries. */
  unpackedBytes: number;
  entries: number;
  /** Files and folders that it unpacks to. */
  files: number;
  /** Paths of its bills of materials. */
  sboms: string[];
  /** Rows of its RECORD that are wrong and keep it from nothing, a few, in words that follow the wheel's name. */
  oddities: string[];
  /** Why it could not be installed. */
  fault?: RunnerError;
  /** CRC-32 of its files by where they go, but for those that describe it. */
  owned: ReadonlyMap<string, number>;
}

/** Of so many wheels it is remembered what was found in them, the latest. */
const MOST_WHEELS = 2_000;
/** And of so much text: METADATA may have a megabyte of requirements, and names of files another. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

const remembered = new Map<string, { facts: WheelFacts; characters: number }>();
let characters = 0;

/** What was found in a wheel before; `key` says in which content of which file, and is undefined where that is unknown. */
export function recallWheel(key: string | undefined): WheelFacts | undefined {
  const found = key === undefined ? undefined : remembered.get(key);
  if (!found || key === undefined) return undefined;
  // Moved to the end: those are kept longest.
  remembered.delete(key);
  remembered.set(key, found);
  return found.facts;
}

function textsOf({ metadata, oddities, owned, sboms }: WheelFacts): string[] {
  return [...metadata.requires, ...(metadata.importNames ?? []), ...oddities, ...owned.keys(), ...sboms];
}

/** Remembers it, in place of what was not asked for the longest. */
export function rememberWheel(key: string | undefined, facts: WheelFacts): void {
  if (key === undefined || remembered.has(key)) return;
  const entry = {
    facts,
    characters: textsOf(facts).reduce((sum, { length }) => sum + length, key.length),
  };
  remembered.set(key, entry);
  characters += entry.characters;
  for (const [oldest, { characters: freed }] of remembered) {
    if (remembered.size <= MOST_WHEELS && characters <= MOST_CHARACTERS) break;
    remembered.delete(oldest);
    characters -= freed;
  }
}
