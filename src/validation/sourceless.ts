import { isByteCode } from '../package/wheel-places.js';
import { listed, shown } from '../package/text.js';
import type { PackageInspection } from '../package/types.js';

/** Python takes byte code for a module only outside of this folder (PEP 3147). */
export function isOutsideCache(name: string): boolean {
  return !/(?:^|\/)__pycache__\//.test(name);
}

/** Byte code that Python would run for want of a source. */
export function sourcelessIn(entries: readonly { name: string; isDirectory: boolean }[]): string[] {
  const found = entries.filter(
    ({ name, isDirectory }) => !isDirectory && isByteCode(name) && isOutsideCache(name),
  );
  if (found.length === 0) return [];
  const names = new Set(entries.map(({ name }) => name));
  return found.map(({ name }) => name).filter((name) => !names.has(name.replace(/[co]$/i, '')));
}

/** Of one wheel. */
export function sourcelessWarning(wheel: string, files: readonly string[]): string {
  return `${wheel}: byte code is never run and is left out: ${listed(files.map(shown), ', ', 5)}. Ask its maker for a wheel with the source of these modules`;
}

/** Where the modules of a package are that it has as byte code alone, by the names by which they are imported. */
export type Sourceless = ReadonlyMap<string, string>;

/** Those of the project, whose names in the archive may begin with a folder, and of its wheels. */
export function sourcelessModules({
  sourceless = [],
  wheels,
}: Pick<PackageInspection, 'sourceless' | 'wheels'>): Sourceless {
  const modules = new Map<string, string>();
  const set = (file: string, place: string) => {
    const module = file.replace(/\.py[co]$/i, '').replace(/\/__init__$/, '');
    modules.set(module.replaceAll('/', '.'), place);
  };
  for (const { file, sourceless: files = [] } of wheels) {
    for (const one of files)
      set(one.replace(/^[^/]+\.data\/(?:pure|plat)lib\//, ''), `${shown(one)} in ${file}`);
  }
  for (const one of sourceless) {
    set(one, shown(one));
    set(one.slice(one.indexOf('/') + 1), shown(one));
  }
  return modules;
}

/** What to add to an error of Python about a module of which there is byte code alone; the empty string for any other. */
export function sourcelessHint(error: string, modules: Sourceless | undefined): string {
  const [, whole] = /No module named '([^']+)'/.exec(error) ?? [];
  const [, part, parent] = /cannot import name '([^']+)' from '([^']+)'/.exec(error) ?? [];
  const module = whole ?? (part === undefined ? '' : `${parent ?? ''}.${part}`);
  const place = modules?.get(module);
  if (place === undefined) return '';
  return `. The package has ${shown(module)} as byte code alone (${place}), which is left out and never run: pack it with its source`;
}
