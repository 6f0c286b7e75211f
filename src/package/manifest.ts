import * as v from 'valibot';
import { RunnerError, type FieldIssue } from '../errors.js';
import { isSafeFolderName } from '../store/file-names.js';
import { decodeText } from './text.js';
import type { Generation, Manifest } from './types.js';

const MAX_PIDS = 10_000;

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
  index: v.pipe(v.number(), v.integer('must be a whole number'), v.minValue(1, 'counts from 1')),
  name: v.string(),
  params: v.optional(v.array(parameter)),
});

const PYTHON_PATH = '[\\p{L}_][\\p{L}\\p{N}_]*(?:\\.[\\p{L}_][\\p{L}\\p{N}_]*)*';
const ENTRY_POINT = new RegExp(`^${PYTHON_PATH}:${PYTHON_PATH}$`, 'u');

const schema = v.looseObject({
  name: folderName,
  version: folderName,
  entry_point: v.pipe(v.string(), v.regex(ENTRY_POINT, 'must be module.path:ClassName')),
  supported_pids: v.optional(
    v.pipe(
      v.array(v.string()),
      v.maxLength(MAX_PIDS, `must have at most ${MAX_PIDS} product ids`),
      v.check((pids) => new Set(pids).size === pids.length, 'names a product id twice'),
    ),
  ),
  description: v.optional(v.nullable(v.string())),
  steps: v.optional(v.array(step)),
  python_version: v.optional(v.string()),
});

/** What was made of a manifest's bytes: the manifest, or every fault it has. */
export type ManifestReading =
  { manifest: Manifest; issues: [] } | { manifest?: undefined; issues: FieldIssue[] };

/** Parses the bytes of `manifest.json`. The fault of the whole file has the path `''`. */
export function parseManifestJson(bytes: Uint8Array): { value?: unknown; issues: FieldIssue[] } {
  const text = decodeText(bytes);
  if (text === undefined) return { issues: [{ path: '', message: 'is neither UTF-8 nor GBK text' }] };
  try {
    return { value: JSON.parse(text) as unknown, issues: [] };
  } catch (error) {
    return { issues: [{ path: '', message: `is not JSON: ${(error as Error).message}` }] };
  }
}

/**
 * Checks the fields of a manifest. `supported_pids` is required of the phased generation alone: packages for SDK 0.3
 * have none.
 */
export function checkManifest(value: unknown, generation: Generation): ManifestReading {
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) {
    return {
      issues: parsed.issues.map((issue) => ({
        path: v.getDotPath(issue) ?? '',
        message: issue.received === 'undefined' ? 'is missing' : issue.message,
      })),
    };
  }
  const manifest = parsed.output as Manifest;
  if (generation === 'phased' && manifest.supported_pids === undefined) {
    return { issues: [{ path: 'supported_pids', message: 'is missing' }] };
  }
  return { manifest, issues: [] };
}

/** The error of a manifest with faults: 2002, each fault with its path. */
export function manifestError(file: string, issues: FieldIssue[]): RunnerError {
  const list = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ');
  return new RunnerError('manifest_missing', `${file} cannot be used: ${list}`, {
    details: { path: file, issues },
  });
}
