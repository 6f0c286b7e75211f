import type { Call } from '../spec.js';
import { findActive, withRegistry } from '../store.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, operator, signal } = call;
  await withRegistry(call, async (registry) => {
    const mappings = await findActive(registry, words);
    await registry.deactivate({ productIds: [...words], operator, signal });
    out.result(
      mappings.map(({ pid, name, version }) => ({ pid, name, version })),
      mappings
        .map(({ pid, name, version }) => `${pid} is not served by ${name} ${version} any more`)
        .join('\n'),
    );
  });
  return undefined;
}
