import { withFleet } from '../fleet/connect.js';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { agreed } from '../terminal/ask.js';

export async function run(call: Call): Promise<number | undefined> {
  const { words, out, signal, operator: by, options } = call;
  const [what = '', version] = words;
  const { reason, lift } = options as { reason?: string; lift?: boolean };
  const word = { by, signal, ...(reason !== undefined && { reason }) };
  if (lift === true && version === undefined)
    throw usage('--lift takes a name and a version: fleet back NAME VERSION --lift');
  return withFleet(call, async ({ operator }) => {
    if (lift === true && version !== undefined) {
      const state = await operator.lift({ name: what, version }, word);
      out.result(state, `${what} ${version} is barred no more`);
      return undefined;
    }
    const title = version === undefined ? `the version of ${what}` : `${what} ${version}`;
    if (!(await agreed(call, `Take ${title} back from every station, at once?`))) return 1;
    const { stations } = await operator.status({ signal });
    const state = await operator.back(
      version === undefined ? { rollout: what } : { name: what, version },
      word,
    );
    const barred = `${state.name}@${state.version}`;
    const count = stations.filter(({ serving }) => Object.values(serving).includes(barred)).length;
    // A version that was mistyped is barred as well: the count shows it.
    const who =
      count === 1 ? '1 station that reports it goes back' : `${count} stations that report it go back`;
    out.result(state, `${state.name} ${state.version} is barred: ${who}`);
    return undefined;
  });
}
