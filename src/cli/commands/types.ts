import { stat, writeFile } from 'node:fs/promises';
import type { Manifest } from 'procvision-runner';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile, findVersion, newFile, withRegistry } from '../store.js';

export async function run(call: Call): Promise<undefined> {
  const { out, options, words } = call;
  const { parametersJsonSchema, parametersTypeScript } = await import('procvision-runner');
  const file = options.out as string | undefined;
  const target = file === undefined ? undefined : await newFile(call, file);
  const schema = await schemaOf(call);
  const source = parametersTypeScript(schema);
  const steps = schema.steps.map(({ index, name }) => ({
    ...{ index, ...(name !== undefined && { name }) },
    schema: parametersJsonSchema(schema, index),
  }));
  if (target !== undefined) await writeFile(target, source);
  if (!steps.some(({ schema: { properties } }) => properties !== undefined)) {
    out.warn(`${words.join(' ')} declares no parameters: its steps take any`);
  }
  const { name, version } = schema;
  const written = file === undefined ? source.trimEnd() : `The types of ${name} ${version} are in ${file}`;
  out.result({ name, version, typescript: source, steps, ...(file !== undefined && { file }) }, written);
  return undefined;
}

/** Of a version as it was installed, or of a zip as its manifest says. */
async function schemaOf(call: Call) {
  const [given = '', version] = call.words;
  const { signal } = call;
  const isFile = await stat(call.path(given)).then(
    (found) => found.isFile(),
    () => false,
  );
  if (version === undefined && (isFile || /\.zip$/i.test(given))) {
    const { PackageValidator } = await import('procvision-runner');
    const { manifest } = await new PackageValidator().inspect(await findFile(call, given), { signal });
    return { name: manifest.name, version: manifest.version, steps: stepsOf(manifest) };
  }
  if (version === undefined)
    throw usage(`types takes a zip, or a name and a version: types ${given} VERSION`);
  return withRegistry(call, async (registry) => {
    await findVersion(registry, given, version);
    return registry.parameters(given, version, { signal });
  });
}

function stepsOf({ steps = [] }: Manifest) {
  return steps.map(({ index, name, params }) => ({ index, name, params: [...(params ?? [])] }));
}
