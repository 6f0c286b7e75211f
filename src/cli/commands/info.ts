import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Manifest, PackageInspection, Registry, RegistryEntry } from 'procvision-runner';
import type { Call } from '../spec.js';
import { findFile, findVersion, findVersions, withRegistry } from '../store.js';
import { formatBytes } from '../terminal/progress.js';

export async function run(call: Call): Promise<undefined> {
  const [given = '', version] = call.words;
  const isFile = await stat(call.path(given)).then(
    (found) => found.isFile(),
    () => false,
  );
  if (version === undefined && (isFile || /\.zip$/i.test(given))) {
    const { PackageValidator } = await import('procvision-runner');
    const inspection = await new PackageValidator().inspect(await findFile(call, given), {
      signal: call.signal,
    });
    call.out.result(inspection, () => lines(factsOfZip(inspection)));
    for (const warning of inspection.warnings) call.out.warn(warning);
    return undefined;
  }
  await withRegistry(call, async (registry) => {
    const entries =
      version === undefined
        ? await findVersions(registry, given)
        : [await findVersion(registry, given, version)];
    const found = await Promise.all(entries.map((entry) => describe(registry, entry)));
    call.out.result(version === undefined ? found : found[0], () =>
      found.map((one) => lines(factsOf(one))).join('\n\n'),
    );
  });
  return undefined;
}

interface Described {
  entry: RegistryEntry;
  active_for: string[];
  users: { host: string; pid: number }[];
  folder: string;
  manifest: Manifest | undefined;
}

async function describe(registry: Registry, entry: RegistryEntry): Promise<Described> {
  const { name, version } = entry;
  const mappings = Object.values(await registry.active());
  const users = await registry.users(name, version);
  const folder = registry.layout.deployed(name, version);
  const manifest = await readFile(path.join(folder, 'manifest.json'), 'utf8').then(
    (text) => JSON.parse(text) as Manifest,
    () => undefined,
  );
  return {
    ...{ entry, folder, manifest },
    active_for: mappings.filter((one) => one.name === name && one.version === version).map(({ pid }) => pid),
    users: users.map(({ host, pid }) => ({ host, pid })),
  };
}

function factsOf({
  entry,
  active_for: active,
  users,
  folder,
  manifest,
}: Described): [string, string | undefined][] {
  return [
    ['package', `${entry.name} ${entry.version}`],
    ['description', manifest?.description],
    ['state', entry.state],
    ['active for', active.join(', ') || 'no product id'],
    ['supports', entry.supported_pids.join(', ') || 'any product id'],
    ['generation', entry.generation],
    ['SDK', entry.sdk_version],
    ['Python', entry.python_version],
    ['steps', stepsOf(manifest) ?? entry.step_indexes?.join(', ')],
    ['run by', users.map(({ host, pid }) => `process ${pid} on ${host}`).join(', ') || 'no process'],
    ['origin', entry.origin],
    ['size', entry.size_bytes === undefined ? undefined : formatBytes(entry.size_bytes)],
    ['deployed', `${entry.created_at}${entry.operator === undefined ? '' : ` by ${entry.operator}`}`],
    ['SHA-256', entry.sha256],
    ['folder', folder],
  ];
}

function factsOfZip(found: PackageInspection): [string, string | undefined][] {
  return [
    ['package', `${found.name} ${found.version}`],
    ['description', found.manifest.description],
    ['supports', found.manifest.supported_pids?.join(', ') ?? 'any product id'],
    ['generation', found.generation],
    ['SDK', found.sdkVersion],
    ['Python', found.interpreter && `${found.interpreter.version} (${found.interpreter.path})`],
    ['steps', stepsOf(found.manifest)],
    ['wheels', found.wheels.map(({ name, version }) => `${name} ${version}`).join(', ') || 'none'],
    ['SBOMs', found.wheels.flatMap(({ sboms = [] }) => sboms).join(', ') || undefined],
    [
      'size',
      `${formatBytes(found.sizeBytes)}, ${formatBytes(found.unpackedBytes)} unpacked, ${found.entries} entries`,
    ],
  ];
}

function stepsOf(manifest: Manifest | undefined): string | undefined {
  const steps = manifest?.steps?.map(({ index, name, params = [] }) => {
    const keys = params.map(({ key, type }) => `${key}: ${type}`).join(', ');
    return `${index} ${name}${keys === '' ? '' : ` (${keys})`}`;
  });
  return steps === undefined || steps.length === 0 ? undefined : steps.join('; ');
}

function lines(facts: readonly [string, string | undefined][]): string {
  return facts
    .flatMap(([title, text]) => (text === undefined ? [] : [`${title.padEnd(13)}${text}`]))
    .join('\n');
}
