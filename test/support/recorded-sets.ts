import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import type { ChoiceEnvironment } from '../../src/python/choice/candidates.js';

/** What a wheel of the index says of itself, as far as a choice depends on it. */
export interface RecordedWheel {
  file: string;
  requires: string[];
  python?: string | undefined;
  extras: string[];
}

/** Lines of a requirements file, and what pip chooses for them from all recorded wheels. */
export interface RecordedSet {
  requirements: string[];
  constraints: string[];
  /** Places of the chosen among the wheels, in the order of installation. */
  chosen?: number[];
  /** Places among the chosen of those that the requirements name. */
  requested?: number[];
  /** Whether pip's order is another in each of its processes, as with projects that need each other. */
  isInTurn?: boolean;
  /** The class of pip's error, where it chooses none. */
  failed?: string;
}

/** All that was recorded, for one interpreter. */
export interface Recording {
  environment: Omit<ChoiceEnvironment, 'tags'> & { tags: string[] };
  wheels: RecordedWheel[];
  sets: RecordedSet[];
}

/** Where it lies. */
export const RECORDED_SETS = fileURLToPath(new URL('recorded-sets.json.gz', import.meta.url));

/** As the file holds it. */
export function packedSets(recording: Recording): Buffer {
  return gzipSync(JSON.stringify(recording), { level: 9 });
}

/** What `record-pypi-sets.ts` has recorded. */
export function recordedSets(): Recording {
  return JSON.parse(gunzipSync(readFileSync(RECORDED_SETS)).toString()) as Recording;
}
