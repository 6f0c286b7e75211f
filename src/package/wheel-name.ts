import type { Wheel } from './types.js';

/** `name-version(-build)?-python-abi-platform.whl` (PEP 427); a build number begins with a digit. */
const WHEEL_FILE =
  /^(?<name>[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-(?<version>[A-Za-z0-9_.!+]+)(?:-(?<build>\d[A-Za-z0-9_.]*))?-(?<python>[A-Za-z0-9_.]+)-(?<abi>[A-Za-z0-9_.]+)-(?<platform>[A-Za-z0-9_.]+)\.whl$/;

/** A project name as indexes compare it (PEP 503): lower case, one `-` for each run of `-`, `_` and `.`. */
export function normalizeProjectName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** Every single tag of a compressed set: `py2.py3-none-any` is `py2-none-any` and `py3-none-any` (PEP 425). */
export function expandTags(python: string, abi: string, platform: string): string[] {
  return python
    .split('.')
    .flatMap((p) =>
      abi.split('.').flatMap((a) => platform.split('.').map((f) => `${p}-${a}-${f}`.toLowerCase())),
    );
}

function countTags(...sets: string[]): number {
  return sets.reduce((count, set) => count * set.split('.').length, 1);
}

/** A name of 255 characters can stand for 60,000 tags; real ones stand for a dozen. */
const MOST_TAGS = 256;

/** `name-version(-build)?-python-abi-platform-label.whl` (PEP 825, a draft). */
const VARIANT_FILE = new RegExp(`${WHEEL_FILE.source.slice(0, -'\\.whl$'.length)}-[a-z0-9_.]{1,16}\\.whl$`);

/** Whether a file is a variant of a wheel, for a kind of processor: pip 26.3 takes it for no wheel. */
export function isVariantWheel(file: string): boolean {
  return WHEEL_FILE.exec(file) === null && VARIANT_FILE.test(file);
}

/** What the file name of a wheel says; undefined when it is not the name of a wheel, or of one for everything. */
export function parseWheelName(file: string, sizeBytes: number): Wheel | undefined {
  const parts = WHEEL_FILE.exec(file)?.groups;
  if (!parts) return undefined;
  const { name = '', version = '', build, python = '', abi = '', platform = '' } = parts;
  if (countTags(python, abi, platform) > MOST_TAGS) return undefined;
  return {
    file,
    name: normalizeProjectName(name),
    version: version.replaceAll('_', '-'),
    ...(build !== undefined && { build }),
    tags: expandTags(python, abi, platform),
    sizeBytes,
  };
}
