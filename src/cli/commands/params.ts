import { jsonObject } from '../flags.js';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { findActive, withRegistry } from '../store.js';

const readParams = jsonObject('params');

export async function run(call: Call): Promise<undefined> {
  const { words, out, options, operator, signal } = call;
  const [productId = '', text] = words;
  const clears = options.clear === true;
  if (clears && text !== undefined) throw usage('params takes parameters or --clear, not both');
  const params = text === undefined ? {} : readParams(text);
  await withRegistry(call, async (registry) => {
    await findActive(registry, [productId]);
    if (clears || text !== undefined) await registry.setParams({ productId, params, operator, signal });
    const kept = await registry.params(productId, { signal });
    const shown = Object.keys(kept).length === 0 ? 'nothing' : JSON.stringify(kept, null, 2);
    out.result(kept, `Calls of ${productId} that bring no other values get ${shown}`);
  });
  return undefined;
}
