import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ArchiveEntry } from '../package/archive-types.js';
import { findLayout, type ProjectLayout } from '../package/project-layout.js';
import { parseRequirements, refusedLinesError, type RefusedLine } from '../package/requirements.js';
import type { KnownWheel } from '../package/resolution.js';
import { findSdkWheel, generationOfSdk } from '../package/sdk.js';
import { decodeText } from '../package/text.js';
import type { Manifest, PackageInspection, Requirement } from '../package/types.js';
import type { WheelMetadata } from '../package/wheel-metadata.js';
import { parseWheelName } from '../package/wheel-name.js';
import type { Interpreter } from '../python/types.js';
import type { CheckList } from './check-list.js';
import { judgeWheels } from './judge-wheels.js';
import type { PackageSource } from './package-source.js';
import { readPythonNeed } from './python-need.js';

/** Wheels that are looked into side by side; small compressed ones are held in memory meanwhile. */
const WHEELS_AT_ONCE = 8;

/** A package as far as it can be told without running it. */
export interface Inspected {
  layout: ProjectLayout;
  /** Undefined when a fault leaves nothing to say who the package is. */
  inspection: PackageInspection | undefined;
}

/** How to inspect. */
export interface InspectOptions extends OperationOptions {
  checks: CheckList;
  /** Interpreters to judge the wheels for. */
  interpreters: () => Promise<Interpreter[]>;
}

/**
 * Looks at everything a package says of itself: layout, manifest, requirements, wheels, the interpreter it wants. Every
 * fault becomes a failed check; nothing is written and nothing of the package runs.
 *
 * @throws RunnerError `invalid_zip` for a layout that cannot be told, `aborted`
 */
export async function inspectSource(source: PackageSource, o: InspectOptions): Promise<Inspected> {
  const { checks } = o;
  const layout = findLayout(source.path, source.entries);
  const warnings = layout.leftOut.map((name) => `${name} is not part of the project and is left out`);
  const known = await readWheels(source, layout, o, warnings);
  const sdk = findSdkWheel(known.map(({ wheel }) => wheel));
  const generation = generationOfSdk(sdk?.version);
  const manifest = await readManifest(source, layout, generation, o);
  const requirements = await readRequirementsFile(source, layout, o);
  const python = await readPythonNeed(source, layout, manifest, o, warnings);
  if (layout.hasWheelsFolder || requirements.length === 0) {
    checks.pass('zip_wheels', `${known.length} wheel${known.length === 1 ? '' : 's'}`);
  } else {
    checks.fail('zip_wheels', noWheels(source, requirements));
  }
  if (requirements.length > 0 && layout.hasWheelsFolder) {
    await judgeWheels(source, requirements, known, python, {
      checks,
      interpreters: o.interpreters,
      warnings,
    });
  } else if (requirements.length === 0) {
    checks.pass('requirements_met', 'nothing is required');
  }
  if (!manifest) return { layout, inspection: undefined };
  return {
    layout,
    inspection: {
      name: manifest.name,
      version: manifest.version,
      manifest,
      generation,
      ...(sdk && { sdkVersion: sdk.version }),
      wheels: known.map(({ wheel }) => wheel),
      requirements,
      python,
      entries: source.entries.length,
      sizeBytes: source.sizeBytes,
      unpackedBytes: source.unpackedBytes,
      checks: checks.checks,
      warnings,
    },
  };
}

async function readManifest(
  source: PackageSource,
  { manifest: entry }: ProjectLayout,
  generation: PackageInspection['generation'],
  { checks, signal }: InspectOptions,
): Promise<Manifest | undefined> {
  if (!entry) {
    const error = new RunnerError(
      'manifest_missing',
      `${source.path} has no manifest.json, neither at its top nor in the folder of the project`,
      { details: { path: source.path } },
    );
    checks.fail('zip_manifest', error);
    checks.add({ name: 'manifest_exists', result: 'FAIL', message: error.message, durationMs: 0 });
    checks.skip('manifest_load', 'there is no manifest');
    checks.skip('manifest_fields', 'there is no manifest');
    return undefined;
  }
  // With valibot, which a host that only runs what is deployed never needs.
  const { checkManifest, manifestError, parseManifestJson } = await import('../package/manifest.js');
  checks.pass('zip_manifest', entry.name);
  checks.pass('manifest_exists', entry.name);
  const where = `${source.path}: ${entry.name}`;
  const parsed = parseManifestJson(await source.read(entry, { signal }));
  if (parsed.issues.length > 0) {
    checks.fail('manifest_load', manifestError(where, parsed.issues));
    checks.skip('manifest_fields', 'the manifest cannot be read');
    return undefined;
  }
  checks.pass('manifest_load');
  const reading = checkManifest(parsed.value, generation);
  if (!reading.manifest) {
    checks.fail('manifest_fields', manifestError(where, reading.issues));
    return undefined;
  }
  checks.pass('manifest_fields');
  return reading.manifest;
}

async function readWheels(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: InspectOptions,
  warnings: string[],
): Promise<KnownWheel[]> {
  const malformed: string[] = [];
  const known: KnownWheel[] = [];
  const entries: ArchiveEntry[] = [];
  for (const entry of layout.wheelFiles) {
    const file = fileName(entry);
    if (!file.endsWith('.whl')) {
      warnings.push(`${entry.name} in the wheels folder is no wheel and is not used`);
      continue;
    }
    const wheel = parseWheelName(file, entry.sizeBytes);
    if (!wheel) {
      malformed.push(file);
      continue;
    }
    known.push({ wheel });
    entries.push(entry);
  }
  for (let at = 0; at < known.length; at += WHEELS_AT_ONCE) {
    const group = known.slice(at, at + WHEELS_AT_ONCE);
    await Promise.all(
      group.map(async (wheel, index) => {
        const entry = entries[at + index];
        if (entry) wheel.metadata = await readMetadata(source, entry, signal, warnings);
      }),
    );
  }
  if (malformed.length > 0) {
    checks.fail(
      'wheel_names',
      new RunnerError(
        'invalid_zip',
        `${source.path}: not the names of wheels (PEP 427): ${malformed.join(', ')}`,
        {
          details: { path: source.path, wheels: malformed.map((file) => ({ file, tags: [] })) },
        },
      ),
    );
  } else {
    checks.pass('wheel_names');
  }
  return known;
}

async function readMetadata(
  source: PackageSource,
  entry: ArchiveEntry,
  signal: AbortSignal | undefined,
  warnings: string[],
): Promise<WheelMetadata | undefined> {
  try {
    return await source.wheelMetadata(entry, { signal });
  } catch (error) {
    if (RunnerError.is(error, 'aborted')) throw error;
    warnings.push(`${entry.name} cannot be looked into: ${(error as Error).message}`);
    return undefined;
  }
}

async function readRequirementsFile(
  source: PackageSource,
  layout: ProjectLayout,
  { checks, signal }: InspectOptions,
): Promise<Requirement[]> {
  const entry = layout.requirements;
  if (!entry) {
    checks.fail(
      'zip_requirements',
      new RunnerError(
        'invalid_zip',
        `${source.path} has no ${layout.root}requirements.txt; one with nothing in it says that nothing is required`,
        { details: { path: source.path } },
      ),
    );
    return [];
  }
  const reading = await readWithIncludes(source, entry, signal);
  if (reading.unreadable.length > 0) {
    checks.fail(
      'zip_requirements',
      new RunnerError(
        'invalid_zip',
        `${source.path}: not there, or neither UTF-8 nor GBK text: ${reading.unreadable.join(', ')}`,
        {
          details: { path: entry.name },
        },
      ),
    );
    return [];
  }
  checks.pass('zip_requirements', entry.name);
  if (reading.refused.length > 0) {
    checks.fail('requirements_offline', refusedLinesError(`${source.path}: ${entry.name}`, reading.refused));
  } else {
    checks.pass('requirements_offline');
  }
  return reading.requirements;
}

/** The file and those of the package that it includes (`-r`), each once. */
async function readWithIncludes(
  source: PackageSource,
  first: ArchiveEntry,
  signal: AbortSignal | undefined,
): Promise<{ requirements: Requirement[]; refused: RefusedLine[]; unreadable: string[] }> {
  const all = { requirements: [] as Requirement[], refused: [] as RefusedLine[], unreadable: [] as string[] };
  const names = [first.name];
  for (const name of names) {
    const entry = source.entries.find((found) => found.name === name && !found.isDirectory);
    const text = entry && decodeText(await source.read(entry, { signal }));
    if (text === undefined) {
      all.unreadable.push(name);
      continue;
    }
    const { requirements, refused, includes } = parseRequirements(text);
    all.requirements.push(...requirements);
    all.refused.push(...refused);
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    names.push(
      ...includes.map((file) => folder + file.replaceAll('\\', '/')).filter((file) => !names.includes(file)),
    );
  }
  return all;
}

function noWheels(source: PackageSource, requirements: Requirement[]): RunnerError {
  const names = requirements.map(({ text }) => text);
  return new RunnerError(
    'wheels_missing',
    `${source.path} has no wheels folder, but requires ${names.join(', ')}: pack it again with its wheels`,
    { details: { path: source.path, requirements: names } },
  );
}

function fileName({ name }: ArchiveEntry): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
