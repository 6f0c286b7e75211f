import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { checkSupported, findVersion, withRegistry } from '../store.js';

export async function run({ words: [name = '', version = '', ...ids], ...call }: Call): Promise<undefined> {
  const { out, operator, signal } = call;
  const force = call.options.force === true;
  await withRegistry({ ...call, words: [] }, async (registry) => {
    const entry = await findVersion(registry, name, version);
    checkSupported(entry, ids);
    const mapped = Object.values(await registry.active());
    const served = mapped.filter((mapping) => mapping.name === name && mapping.version !== version);
    const productIds = ids.length > 0 ? ids : served.map(({ pid }) => pid);
    if (productIds.length === 0) {
      throw usage(`No product id is served by another version of ${name}: switch ${name} ${version} ID…`);
    }
    const mappings = await registry.switch({ name, version, productIds, operator, force, signal });
    out.result(mappings, `${name} ${version} serves ${productIds.join(', ')}`);
  });
  return undefined;
}
