import { withFleet } from '../fleet/connect.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<undefined> {
  const { out, signal, operator: by, options } = call;
  const dryRun = options.dryRun === true;
  await withFleet(call, async ({ operator }) => {
    const found = await operator.rebuild({ by, signal, dryRun });
    const { desired, bars, left } = found;
    out.result(found, () =>
      [
        `${desired.length} desired states and ${bars.length} bars ${dryRun ? 'would be' : 'are'} written`,
        ...left.map(({ station, reason }) => `${station} is left as it is: ${reason}`),
      ].join('\n'),
    );
  });
  return undefined;
}
