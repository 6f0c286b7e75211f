import { withFleet } from '../fleet/connect.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, signal, operator: by, options } = call;
  const { reason } = options as { reason?: string };
  await withFleet(call, async ({ operator }) => {
    const halted = await operator.halt(words[0], { by, signal, ...(reason !== undefined && { reason }) });
    const names = halted.map(({ rollout }) => rollout);
    out.result(halted, names.length > 0 ? `${names.join(', ')}: halted` : 'No rollout is under way');
  });
  return undefined;
}
