import { listed, shown } from '../package/text.js';
import type { ProjectLayout } from '../package/project-layout.js';
import { requiredAssets } from '../package/required-assets.js';
import type { Manifest } from '../package/types.js';
import type { CheckList } from './check-list.js';
import type { PackageSource } from './package-source.js';

/** Refuses a package without the files that its manifest says each product id needs. */
export async function checkAssets(
  source: PackageSource,
  layout: ProjectLayout,
  manifest: Manifest,
  { checks, warnings }: { checks: CheckList; warnings: string[] },
): Promise<void> {
  const reading = requiredAssets(manifest);
  warnings.push(...reading.warnings.map(shown));
  const { assets, issues } = reading;
  if (assets.length === 0 && issues.length === 0) {
    checks.skip('required_assets', 'the manifest names none');
    return;
  }
  for (const { field, path } of assets) {
    const entry = source.get(layout.root + path);
    if (entry && !entry.isDirectory) continue;
    issues.push({ path: field, message: `names ${path}, ${missing(source, layout.root + path)}` });
  }
  if (issues.length > 0) {
    const { manifestError } = await import('../package/manifest.js');
    const faults = issues.map(({ path, message }) => ({ path: shown(path), message: shown(message) }));
    checks.fail(
      'required_assets',
      manifestError({ path: source.path, entry: layout.manifest?.name ?? 'manifest.json' }, faults),
    );
  } else {
    checks.pass('required_assets', listed([...new Set(assets.map(({ path }) => path))]));
  }
}

/** A folder need not be an entry of its own; a name of other case is the commonest mistake of Windows. */
function missing({ entries }: PackageSource, name: string): string {
  if (entries.some((entry) => entry.name.replace(/\/$/, '') === name || entry.name.startsWith(`${name}/`)))
    return 'which is a folder';
  const other = entries.find((entry) => entry.name.toLowerCase() === name.toLowerCase());
  return other ? `which the package has as ${other.name}` : 'which is not in the package';
}
