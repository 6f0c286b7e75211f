import { isRecord } from '../arguments.js';
import type { FieldIssue } from '../errors.js';
import type { Manifest } from './types.js';

/** A file that a package says its algorithm needs. */
export interface RequiredAsset {
  /** Where the manifest names it, for example `required_assets.PCB-1.template`. */
  field: string;
  /** Path below the project, with `/`. */
  path: string;
}

/** What a manifest says of its assets. */
export interface AssetReading {
  /** In the order of the manifest. */
  assets: RequiredAsset[];
  /** What cannot be an asset: an absolute path, a path that leads out of the package, what is no string. */
  issues: FieldIssue[];
  /** What is odd, and no fault. */
  warnings: string[];
}

/**
 * Reads `required_assets` (by product id, then by kind) and `default_config` (by kind; for product ids that the first does
 * not name) of a manifest (specification 0.2.1, section 3.9).
 */
export function requiredAssets(manifest: Manifest): AssetReading {
  const reading: AssetReading = { assets: [], issues: [], warnings: [] };
  const { required_assets: byId, default_config: standard, supported_pids: supported = [] } = manifest;
  if (isRecord(byId)) {
    for (const [productId, kinds] of Object.entries(byId)) {
      if (supported.length > 0 && !supported.includes(productId)) {
        reading.warnings.push(
          `required_assets names the product id ${productId}, which supported_pids does not have`,
        );
      }
      readKinds(reading, `required_assets.${productId}`, kinds);
    }
  } else if (byId !== undefined && byId !== null) {
    reading.warnings.push(
      'required_assets is no object of product ids, and is not checked: { "<product id>": { "<kind>": "<path>" } }',
    );
  }
  if (standard !== undefined && standard !== null) readKinds(reading, 'default_config', standard);
  return reading;
}

function readKinds({ assets, issues }: AssetReading, field: string, kinds: unknown): void {
  if (!isRecord(kinds)) {
    issues.push({ path: field, message: 'must be an object of paths by kind' });
    return;
  }
  for (const [kind, value] of Object.entries(kinds)) {
    const path = `${field}.${kind}`;
    const inside = typeof value === 'string' ? pathInside(value) : undefined;
    if (inside !== undefined) assets.push({ field: path, path: inside });
    else if (typeof value !== 'string')
      issues.push({ path, message: 'must be the path of a file in the package' });
    else
      issues.push({
        path,
        message: `names ${JSON.stringify(value)}, which is not a path inside of the package`,
      });
  }
}

/** The path below the project with `/`; undefined for a path that leads elsewhere. */
function pathInside(text: string): string | undefined {
  const unified = text.replaceAll('\\', '/');
  if (unified.startsWith('/') || /^[A-Za-z]:/.test(unified) || unified.includes('\0')) return undefined;
  const parts: string[] = [];
  for (const part of unified.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.length > 0 ? parts.join('/') : undefined;
}
