import { checkStrings } from '../arguments.js';
import { Door, flag, lazily, text } from '../options.js';
import type { PackOptions } from './types.js';

/** What `packProject` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  pack: new Door<PackOptions>('packProject(folder, options)', { wheels: text(), compress: flag() }),
}));

/**
 * Packs a project folder into an offline package, as the bytes of a zip: the project in a folder of its name, its wheels
 * beside it. `pipeline(packProject('board-check'), createWriteStream('board-check-v1.0.0-offline.zip'))` writes one. Environments (`venv`), byte code, hidden files and packages (`*-offline.zip`) are left out. Equal folders give equal bytes.
 *
 * A package as it was unpacked (a folder with the project and one with the wheels) is packed as it lies there. Nothing is
 * validated: {@link PackageValidator.inspect} tells what the package is.
 *
 * @throws RunnerError `invalid_params`; the reading fails with `manifest_missing`, with `invalid_zip` for a file that changes
 * while it is read, and with what the file system says
 */
export function packProject(
  folder: string,
  options: PackOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  checkStrings('packProject(folder)', { folder });
  doors().pack.check(options);
  return (async function* () {
    const { projectBytes } = await import('./pack-project.js');
    yield* projectBytes(folder, options);
  })();
}
