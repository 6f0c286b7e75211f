import { RunnerError } from '../../errors.js';
import { isSafeFolderName } from '../../store/file-names.js';

/**
 * `name@version`, as states name a version. The last `@` is where the version begins: a name may have one, a version of a fleet not.
 *
 * @throws RunnerError `invalid_params` for a name that is no name of a package
 */
export function refOf(name: string, version: string): string {
  const ref = `${name}@${version}`;
  const parts = partsOf(ref);
  if (parts?.name === name && parts.version === version) return ref;
  throw new RunnerError(
    'invalid_params',
    `${JSON.stringify(ref)} is no name and version of a package in a fleet: a version has no @, and both are names of folders`,
    { details: { path: 'version' } },
  );
}

/** Name and version of a reference; `undefined` for a reference that {@link refOf} does not make. */
export function partsOf(ref: string): { name: string; version: string } | undefined {
  const at = ref.lastIndexOf('@');
  const [name, version] = [ref.slice(0, Math.max(at, 0)), ref.slice(at + 1)];
  return at > 0 && isSafeFolderName(name) && isSafeFolderName(version) ? { name, version } : undefined;
}
