import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Archive } from '../package/archive-types.js';
import { findLayout, type ProjectLayout } from '../package/project-layout.js';
import { findSdkWheel, generationOfSdk, hasAdapter } from '../package/sdk.js';
import { listed, shown } from '../package/text.js';
import type { Manifest, PackageInspection, Requirement } from '../package/types.js';
import type { Interpreter } from '../python/types.js';
import { checkAssets } from './check-assets.js';
import type { CheckList } from './check-list.js';
import { checkContents, checkStartup, readPart, readWheels } from './read-wheels.js';
import { resolveWheels, type LookedAt, overlapsIn } from './resolve-wheels.js';
import { manifestWarnings } from './manifest-warnings.js';
import { manifestHint, wheelsHint } from './near-misses.js';
import type { PackageSource } from './package-source.js';
import { readPythonNeed } from './python-need.js';
import { readRequirementsFile } from './read-requirements.js';
import { isOutsideCache } from './sourceless.js';

/** Files beyond the project that are named one by one. */
const MOST_LEFT_OUT_NAMED = 20;

/** What is known of a package without running it. */
export interface Inspected {
  /** Where the parts of the package are. */
  layout: ProjectLayout;
  /** Undefined when a fault leaves nothing to say who the package is. */
  inspection: PackageInspection | undefined;
  /** What is odd and no fault. */
  warnings: string[];
}

/** A package that passed its inspection and is still open. */
export interface OpenedPackage extends AsyncDisposable, Inspected {
  /** Open until this is disposed of. */
  archive: Archive;
  inspection: PackageInspection;
}

export interface InspectOptions extends OperationOptions {
  checks: CheckList;
  /** Interpreters that the wheels may fit, in the order of preference. As few as possible are started. */
  interpreters: () => AsyncGenerator<Interpreter, void, undefined>;
  /** What becomes of wheels that run code at every start of an interpreter. */
  startupCode: 'allow' | 'refuse';
  /** What there is to tell when no interpreter was found. */
  lookedAt: () => LookedAt;
}

/**
 * Looks at everything a package says of itself: layout, manifest, requirements, wheels, the interpreter it wants. Every
 * fault becomes a failed check; nothing is written and nothing of the package runs.
 *
 * @throws RunnerError `invalid_zip` for a layout that cannot be recognized, `aborted`
 */
export async function inspectSource(source: PackageSource, o: InspectOptions): Promise<Inspected> {
  const layout = findLayout(source.path, source.entries);
  o.checks.pass('zip_layout', layout.root === '' ? 'everything is at the top' : `project in ${layout.root}`);
  // The first interpreter is asked while the package is read: a process that starts takes longer than that.
  const interpreters = begun(o.interpreters());
  try {
    return await inspectParts(source, layout, interpreters, o);
  } finally {
    await interpreters.return();
  }
}

/** Starts a generator at once instead of when it is first asked. */
function begun<T>(generator: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  const first = generator.next();
  first.catch(() => undefined); // thrown when it is asked for, if it is
  const rest = (async function* () {
    try {
      for (let next = await first; !next.done; next = await generator.next()) yield next.value;
    } finally {
      await generator.return();
    }
  })();
  return Object.assign(rest, {
    // A generator that has not started would not run its `finally`.
    return: async () => {
      await first.catch(() => undefined);
      await generator.return();
      return { done: true as const, value: undefined };
    },
  });
}

async function inspectParts(
  source: PackageSource,
  layout: ProjectLayout,
  interpreters: AsyncIterable<Interpreter>,
  o: InspectOptions,
): Promise<Inspected> {
  const { checks } = o;
  const warnings = leftOutWarnings(layout);
  if (source.nameDoubt !== undefined) warnings.push(source.nameDoubt);
  const found = await readWheels(source, layout, o, warnings);
  const { known } = found;
  checkStartup(source, found, o.startupCode, { checks, warnings });
  const sdk = findSdkWheel(known.map(({ wheel }) => wheel));
  const generation = generationOfSdk(sdk?.version);
  if (sdk && !hasAdapter(sdk.version)) {
    warnings.push(
      `${sdk.file} has no adapter, by which workers are started: pack the package with procvision-algorithm-sdk 0.0.6 or later, or run it with worker: 'bundled'`,
    );
  }
  const manifest = await readManifest(source, layout, generation, o);
  const required = await readRequirementsFile(source, layout, o);
  const { requirements } = required;
  checkContents(source, found, requirements, { checks, warnings });
  const python = await readPythonNeed(source, layout, manifest, o, warnings);
  if (layout.hasWheelsFolder || requirements.length === 0) {
    checks.pass('zip_wheels', `${known.length} wheel${known.length === 1 ? '' : 's'}`);
  } else {
    checks.fail('zip_wheels', noWheels(source, requirements));
  }
  const resolved =
    requirements.length === 0 || layout.hasWheelsFolder
      ? await resolveWheels(source, required, found, python, {
          checks,
          interpreters,
          lookedAt: o.lookedAt,
        })
      : undefined;
  if (resolved?.choice) warnings.push(...resolved.choice.warnings, ...overlapsIn(resolved.choice, known));
  const { interpreter } = resolved ?? {};
  const sourceless = layout.byteCode.filter(isOutsideCache);
  if (!manifest) return { layout, inspection: undefined, warnings };
  await checkAssets(source, layout, manifest, { checks, warnings });
  warnings.push(...manifestWarnings(manifest));
  return {
    layout,
    warnings,
    inspection: {
      name: manifest.name,
      version: manifest.version,
      manifest,
      generation,
      ...(sdk && { sdkVersion: sdk.version }),
      wheels: known.map(({ wheel }) => wheel),
      requirements,
      python,
      ...(sourceless.length > 0 && { sourceless }),
      ...(interpreter && { interpreter: { path: interpreter.path, version: interpreter.version } }),
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
      `${source.path} has no manifest.json, neither at its top nor in the folder of the project` +
        `: ${manifestHint(source.entries) ?? 'pack the project with it'}`,
      { details: { path: source.path } },
    );
    // One fault, one FAIL: the second check of the same fact refers to the first.
    checks.fail('manifest_exists', error);
    checks.skip('zip_manifest', 'see manifest_exists');
    checks.skip('manifest_load', 'there is no manifest');
    checks.skip('manifest_fields', 'there is no manifest');
    return undefined;
  }
  // With valibot, which a host that only runs what is deployed never needs.
  const { checkManifest, manifestError, parseManifestJson } = await import('../package/manifest.js');
  checks.pass('zip_manifest', entry.name);
  checks.pass('manifest_exists', entry.name);
  const where = { path: source.path, entry: entry.name };
  const bytes = await readPart(source, entry, signal);
  if (bytes instanceof RunnerError) {
    checks.fail('manifest_load', bytes);
    checks.skip('manifest_fields', 'the manifest cannot be read');
    return undefined;
  }
  const parsed = parseManifestJson(bytes);
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

/** Files beyond the project, a few by name. */
function leftOutWarnings({ leftOut, byteCode }: Pick<ProjectLayout, 'leftOut' | 'byteCode'>): string[] {
  const alone = byteCode.filter(isOutsideCache);
  if (alone.length > 0)
    return [
      ...leftOutWarnings({ leftOut, byteCode: [] }),
      `Byte code is never run and is left out: ${listed(alone.map(shown))}. The package needs the source of these modules`,
    ];
  const warnings = leftOut
    .slice(0, MOST_LEFT_OUT_NAMED)
    .map((name) => `${name} is not part of the project and is left out`);
  const more = leftOut.length - warnings.length;
  return more > 0
    ? [...warnings, `${more} more files are not part of the project and are left out`]
    : warnings;
}

function noWheels(source: PackageSource, requirements: Requirement[]): RunnerError {
  const names = requirements.map(({ text }) => text);
  return new RunnerError(
    'wheels_missing',
    `${source.path} has no wheels folder, but requires ${listed(names.map(shown))}: ` +
      (wheelsHint(source.entries) ?? 'pack it again with its wheels'),
    { details: { path: source.path, requirements: names } },
  );
}
