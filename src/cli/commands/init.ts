import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Generation } from 'procvision-runner';
import { usage } from '../host.js';
import { projectFiles } from '../project/template.js';
import type { Call } from '../spec.js';

/** What pip, Python and a folder on any system take as a name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export async function run(call: Call): Promise<undefined> {
  const { words, options, out, host } = call;
  const folder = call.path(words[0] ?? '');
  const name = (options.name as string | undefined) ?? path.basename(folder);
  if (!NAME.test(name)) {
    throw usage(
      `${name} cannot be the name of a package: use letters, digits, ".", "_" and "-", or give --name`,
    );
  }
  const there = await readdir(folder).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    const why = code === 'ENOTDIR' ? 'it is a file' : message;
    throw usage(`${words[0] ?? folder} cannot be a folder for a package: ${why}`);
  });
  if (there.length > 0) throw usage(`${words[0] ?? folder} is not empty: give a new folder`);
  const generation = options.generation as Generation;
  const ids = (options.id as string[] | undefined) ?? ['A01'];
  const files = projectFiles({ name, generation, ids });
  for (const [file, text] of Object.entries(files)) {
    const target = path.join(folder, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  const shown = path.relative(host.cwd, folder) || '.';
  out.result({ folder, name, generation, files: Object.keys(files) }, () =>
    [
      ...Object.keys(files).map((file) => path.join(shown, file)),
      '',
      'Next:',
      `  (cd ${shown} && python3 -m unittest)         # its tests`,
      `  procvision-runner pack ${shown} --index      # with wheels of an index (or --wheels FOLDER)`,
      `  procvision-runner check ${name}-v0.1.0-offline.zip`,
    ].join('\n'),
  );
  return undefined;
}
