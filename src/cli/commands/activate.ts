import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { checkSupported, findVersion, withRegistry } from '../store.js';

export async function run({ words: [name = '', version = '', ...ids], ...call }: Call): Promise<undefined> {
  const { out, operator, signal } = call;
  const force = call.options.force === true;
  await withRegistry({ ...call, words: [] }, async (registry) => {
    const entry = await findVersion(registry, name, version);
    checkSupported(entry, ids);
    const productIds = ids.length > 0 ? ids : entry.supported_pids;
    if (productIds.length === 0) {
      throw usage(
        `${name} ${version} names no product ids that it supports: activate ${name} ${version} ID…`,
      );
    }
    const mappings = await registry.activate({ name, version, productIds, operator, force, signal });
    out.result(mappings, `${name} ${version} serves ${productIds.join(', ')}`);
  });
  return undefined;
}
