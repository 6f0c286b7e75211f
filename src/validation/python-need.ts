import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ProjectLayout } from '../package/project-layout.js';
import { decodeText, listed, shown } from '../package/text.js';
import type { Manifest, PythonNeed } from '../package/types.js';
import type { PackageSource } from './package-source.js';
import { readPart } from './read-wheels.js';

/** Files of the packaging tool that tell which interpreter a package was made for. */
const NOTES = ['.procvision_env.json', 'deploy_bootstrap.json'];
/** Where an interpreter that ships with a package is looked for, below the algorithm root. */
const EMBEDDED = ['bin/python3', 'bin/python', 'python.exe', 'python3', 'python'].map(
  (name) => `python_runtime/${name}`,
);

/** What the package says about the interpreter it wants; the first source that says a thing counts. */
export async function readPythonNeed(
  source: PackageSource,
  layout: ProjectLayout,
  manifest: Manifest | undefined,
  o: OperationOptions,
  warnings: string[],
): Promise<PythonNeed> {
  const need: PythonNeed = {};
  let bringsItsOwn = false;
  if (manifest?.python_version !== undefined) need.pythonVersion = manifest.python_version;
  for (const file of NOTES) {
    const entry = source.get(layout.root + file);
    if (!entry || entry.isDirectory) continue;
    const bytes = await readPart(source, entry, o.signal);
    const note = bytes instanceof RunnerError ? undefined : parseNote(bytes);
    if (!note) {
      warnings.push(`${entry.name} is not a JSON object and says nothing`);
      continue;
    }
    bringsItsOwn ||= note.has_embedded_python === true;
    need.pythonVersion ??= text(note.python_version);
    need.implementation ??= text(note.implementation);
    need.abi ??= text(note.abi);
    need.platform ??= text(note.wheels_platform);
  }
  need.embedded = EMBEDDED.find((name) => source.get(layout.root + name)?.isDirectory === false);
  if (bringsItsOwn && need.embedded === undefined) {
    warnings.push(
      'deploy_bootstrap.json says that the package brings an interpreter, but there is none in python_runtime',
    );
  }
  warnOfContradiction(need, layout, warnings);
  return Object.fromEntries(
    Object.entries(need).filter(([, value]: [string, unknown]) => value !== undefined),
  );
}

/** An interpreter or a platform that is named and that none of the binary wheels is for. */
function warnOfContradiction(
  { abi, pythonVersion, platform }: PythonNeed,
  layout: ProjectLayout,
  warnings: string[],
): void {
  const binary = layout.wheelFiles
    .map(({ name }) => /-(cp\d+)-(cp\d+\w*|abi3|none)-([^-]+)\.whl$/.exec(name))
    .filter((match) => match !== null)
    .map(([, python = '', wheelAbi = '', platforms = '']) => ({ python, wheelAbi, platforms }));
  const minor = /^(\d)\.(\d+)(?:\.\d+)?$/.exec(pythonVersion ?? '');
  const wanted = /^cp\d+$/.test(abi ?? '') ? abi : minor ? `cp${minor[1]}${minor[2]}` : undefined;
  const bound = binary.filter(({ wheelAbi }) => wheelAbi !== 'abi3');
  if (wanted !== undefined && bound.length > 0 && bound.every(({ python }) => python !== wanted)) {
    const pythons = [...new Set(bound.map(({ python }) => python))];
    warnings.push(`the package says that it is for ${wanted}, but its wheels are for ${listed(pythons)}`);
  }
  const family = familyOf(platform ?? '');
  const families = binary.flatMap(({ platforms }) => familyOf(platforms) ?? []);
  if (family !== undefined && families.length > 0 && !families.includes(family)) {
    warnings.push(
      `the package says that it is for ${shown(platform ?? '')}, but its wheels are for ${listed([...new Set(families)])}`,
    );
  }
}

/** The operating system that platform tags are of; undefined for `any`. */
function familyOf(platform: string): string | undefined {
  return platform.startsWith('win')
    ? 'Windows'
    : platform.includes('linux')
      ? 'Linux'
      : platform.startsWith('macos')
        ? 'macOS'
        : undefined;
}

function parseNote(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decodeText(bytes) ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
