import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RunnerError } from '../../errors.js';
import { requiredAssets } from '../../package/required-assets.js';
import type { Manifest } from '../../package/types.js';
import type { StandardValues } from '../../parameters/call-parameters.js';
import type { RegistryEntry } from '../../registry/types.js';
import { readJson } from '../../store/atomic-file.js';

/** Files up to this size are compared byte by byte at each start, larger ones by their size: a start must not read a model of gigabytes twice. */
const MOST_HASHED_BYTES = 16 * 1024 * 1024;
/** A larger file of `default_config` is none with parameters. */
const MOST_CONFIG_BYTES = 1024 * 1024;

/**
 * Makes sure, before a worker starts, that the files which the package says it needs are there as they were installed.
 *
 * @returns values of its `default_config`: of those files that are JSON objects
 * @throws RunnerError `start_failed` (1003 of the runner's table) naming the file
 */
export async function checkedAssets(root: string, entry: RegistryEntry): Promise<StandardValues | undefined> {
  const { assets = [], name, version } = entry;
  if (assets.length === 0) return undefined;
  for (const { path: relative, size_bytes: size, sha256 } of assets) {
    const file = path.join(root, relative);
    const fault = await faultOf(file, size, sha256);
    if (fault === undefined) continue;
    throw new RunnerError(
      'start_failed',
      `${name} ${version} cannot be started: ${relative}, which its manifest says it needs, ${fault}. ` +
        'Install the package again with force',
      { errorCode: '1003', details: { path: file, name, version, stage: 'assets' } },
    );
  }
  return standardValues(root);
}

async function faultOf(file: string, size: number, sha256: string): Promise<string | undefined> {
  const found = await stat(file).catch((error: unknown) => error as NodeJS.ErrnoException);
  if (found instanceof Error) {
    return found.code === 'ENOENT' ? 'is not there' : `cannot be read (${found.message})`;
  }
  if (!found.isFile()) return 'is no file';
  if (found.size !== size) return `has ${found.size} bytes instead of ${size}`;
  if (size > MOST_HASHED_BYTES) return undefined;
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    return `cannot be read (${(error as Error).message})`;
  }
  return hash.digest('hex') === sha256 ? undefined : 'is not as it was installed';
}

async function standardValues(root: string): Promise<StandardValues | undefined> {
  const manifest = (await readJson(path.join(root, 'manifest.json')).catch(() => undefined)) as
    Manifest | undefined;
  if (!manifest) return undefined;
  const { required_assets: own } = manifest;
  const values: Record<string, unknown> = {};
  for (const { field, path: relative } of requiredAssets(manifest).assets) {
    if (field.startsWith('default_config.')) Object.assign(values, await objectIn(path.join(root, relative)));
  }
  const exceptFor = typeof own === 'object' && own !== null ? Object.keys(own) : [];
  return Object.keys(values).length > 0 ? { values, exceptFor: new Set(exceptFor) } : undefined;
}

async function objectIn(file: string): Promise<object> {
  if ((await stat(file)).size > MOST_CONFIG_BYTES) return {};
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {}; // a template, a model, YAML: the algorithm's own to read
  }
}
