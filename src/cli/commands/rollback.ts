import type { ActiveMapping } from 'procvision-runner';
import type { Call } from '../spec.js';
import { findActive, withRegistry } from '../store.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, operator, signal } = call;
  await withRegistry(call, async (registry) => {
    await findActive(registry, words);
    const mappings: ActiveMapping[] = [];
    for (const productId of words) {
      mappings.push(await registry.rollback({ productId, operator, signal }));
    }
    out.result(
      mappings,
      mappings.map(({ pid, name, version }) => `${name} ${version} serves ${pid}`).join('\n'),
    );
  });
  return undefined;
}
