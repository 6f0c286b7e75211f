import type { ActiveMapping } from 'procvision-runner';
import type { Call } from '../spec.js';
import { findActive, withRegistry } from '../store.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, operator, signal } = call;
  await withRegistry(call, async (registry) => {
    await findActive(registry, words);
    const mappings: ActiveMapping[] = [];
    const textOf = ({ pid, name, version }: ActiveMapping) => `${name} ${version} serves ${pid}`;
    try {
      for (const productId of words) mappings.push(await registry.rollback({ productId, operator, signal }));
    } catch (error) {
      // Each is a commit of its own: what was done stays.
      for (const done of mappings) out.warn(`${textOf(done)}: it was taken back before the failure`);
      throw error;
    }
    out.result(mappings, mappings.map(textOf).join('\n'));
  });
  return undefined;
}
