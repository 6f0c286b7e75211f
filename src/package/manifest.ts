import * as v from 'valibot';
import { RunnerError, type FieldIssue } from '../errors.js';
import { isSafeFolderName } from '../store/file-names.js';
import { decodeText, shown } from './text.js';
import type { Generation, Manifest } from './types.js';

const MAX_PIDS = 10_000;
const MAX_STEPS = 1_000;
const MAX_PARAMETERS = 256;
const MAX_FORMATS = 256;
/** Deeper than any manifest that was met; what writes it again as JSON goes down one call a level. */
const MAX_DEPTH = 64;
/** Most faults that are reported of one manifest. */
const MAX_ISSUES = 100;

/** A list whose length is looked at first: each of a million faulty items would be a fault of its own. */
function listOf<T extends v.GenericSchema>(item: T, most: number) {
  return v.pipe(v.array(v.unknown()), v.maxLength(most, `must have at most ${most} items`), v.array(item));
}

const folderName = v.pipe(
  v.string(),
  v.nonEmpty('must not be empty'),
  v.check(
    isSafeFolderName,
    'must be usable as a folder name: no separators, reserved names, control characters, dot or space at its end',
  ),
);

const parameter = v.looseObject({
  key: v.pipe(v.string(), v.nonEmpty('must not be empty')),
  type: v.string(),
});

const step = v.looseObject({
  // Steps count from 1, but the projects that the SDK's own `procvision-cli init` makes (0.0.x) have one with index 0.
  index: v.pipe(v.number(), v.integer('must be a whole number'), v.minValue(0, 'must not be negative')),
  name: v.string(),
  params: v.optional(listOf(parameter, MAX_PARAMETERS)),
});

const PYTHON_PATH = '[\\p{L}_][\\p{L}\\p{N}_]*(?:\\.[\\p{L}_][\\p{L}\\p{N}_]*)*';
const ENTRY_POINT = new RegExp(`^${PYTHON_PATH}:${PYTHON_PATH}$`, 'u');

const schema = v.looseObject({
  name: folderName,
  version: folderName,
  entry_point: v.pipe(v.string(), v.regex(ENTRY_POINT, 'must be module.path:ClassName')),
  supported_pids: v.optional(
    v.pipe(
      listOf(v.string(), MAX_PIDS),
      v.check((pids) => new Set(pids).size === pids.length, 'names a product id twice'),
    ),
  ),
  description: v.optional(v.nullable(v.string())),
  steps: v.optional(listOf(step, MAX_STEPS)),
  python_version: v.optional(v.string()),
  image_formats: v.optional(listOf(v.string(), MAX_FORMATS)),
});

/** What was made of a manifest's bytes: the manifest, or every fault it has. */
export type ManifestReading =
  { manifest: Manifest; issues: [] } | { manifest?: undefined; issues: FieldIssue[] };

/** Parses the bytes of `manifest.json`. The fault of the whole file has the path `''`. */
export function parseManifestJson(bytes: Uint8Array): { value?: unknown; issues: FieldIssue[] } {
  if (isUtf16(bytes)) return { issues: [{ path: '', message: 'is UTF-16 text: save it as UTF-8' }] };
  const text = decodeText(bytes);
  if (text === undefined) {
    return { issues: [{ path: '', message: 'is neither UTF-8 nor GBK text: save it as UTF-8' }] };
  }
  try {
    const value: unknown = JSON.parse(text);
    if (!isDeeper(value, MAX_DEPTH)) return { value, issues: [] };
    return { issues: [{ path: '', message: `is nested deeper than ${MAX_DEPTH} levels` }] };
  } catch (error) {
    return { issues: [{ path: '', message: `is not JSON: ${shown((error as Error).message)}` }] };
  }
}

/** By its mark, or by the zeros that half of the bytes of a JSON text are then; no other encoding of JSON has one. */
function isUtf16(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || bytes.includes(0);
}

/** Whether a value has more levels than `most`; looks no further down than that. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return most === 0 || Object.values(value).some((inner: unknown) => isDeeper(inner, most - 1));
}

/**
 * Checks the fields of a manifest. `supported_pids` is required of the phased generation alone: packages for SDK 0.3
 * have none.
 */
export function checkManifest(value: unknown, generation: Generation): ManifestReading {
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) {
    const issues = parsed.issues.slice(0, MAX_ISSUES).map((issue) => ({
      path: shown(v.getDotPath(issue) ?? ''),
      message: issue.received === 'undefined' ? 'is missing' : shown(issue.message),
    }));
    const more = parsed.issues.length - issues.length;
    return { issues: more > 0 ? [...issues, { path: '', message: `has ${more} faults more` }] : issues };
  }
  const manifest = parsed.output as Manifest;
  if (generation === 'phased' && manifest.supported_pids === undefined) {
    return { issues: [{ path: 'supported_pids', message: 'is missing' }] };
  }
  return { manifest, issues: [] };
}

/** The error of a manifest with faults: 2002, each fault with its path. */
export function manifestError(file: { path: string; entry: string }, issues: FieldIssue[]): RunnerError {
  const list = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ');
  return new RunnerError(
    'manifest_invalid',
    `${file.path}: ${file.entry} cannot be used: ${list}. Correct it, and pack the package again`,
    { details: { ...file, issues } },
  );
}
