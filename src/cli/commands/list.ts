import type { Call } from '../spec.js';
import { findVersions, withRegistry } from '../store.js';
import { formatBytes } from '../terminal/progress.js';

export async function run(call: Call): Promise<undefined> {
  const [name] = call.words;
  await withRegistry(call, async (registry) => {
    const entries = name === undefined ? await registry.list() : await findVersions(registry, name);
    const mappings = Object.values(await registry.active());
    const found = entries.map((entry) => ({
      ...entry,
      active_for: mappings
        .filter((mapping) => mapping.name === entry.name && mapping.version === entry.version)
        .map(({ pid }) => pid),
    }));
    const rows = found.map((entry) => ({
      ...{ name: entry.name, version: entry.version, state: entry.state },
      'product ids': entry.active_for.join(' ') || undefined,
      ...{ python: entry.python_version, sdk: entry.sdk_version, origin: entry.origin },
      size: entry.size_bytes === undefined ? undefined : formatBytes(entry.size_bytes),
    }));
    call.out.table(found, rows, 'Nothing is deployed yet: procvision-runner install <zip>');
  });
  return undefined;
}
