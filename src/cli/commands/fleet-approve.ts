import { withFleet } from '../fleet/connect.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, options, signal, operator: by } = call;
  const wave = options.wave as number | undefined;
  await withFleet(call, async ({ operator }) => {
    const state = await operator.approve(words[0] ?? '', { by, signal, ...(wave !== undefined && { wave }) });
    out.result(state, `Wave ${state.wave + 1} of ${state.rollout} is approved`);
  });
  return undefined;
}
