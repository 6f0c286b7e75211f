import { withFleet } from '../fleet/connect.js';
import { usage } from '../host.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<undefined> {
  const { words, out, signal, options } = call;
  const [group = '', ...stations] = words;
  const { window, days, maxUnavailable } = options as Record<string, string | undefined>;
  if (days !== undefined && window === undefined) throw usage('--days is of a window: give --window too');
  const opening = window === undefined ? undefined : windowOf(window, days);
  const most =
    maxUnavailable !== undefined && /^\d+$/.test(maxUnavailable) ? Number(maxUnavailable) : maxUnavailable;
  await withFleet(call, async ({ operator }) => {
    const state = await operator.setGroup({
      ...{ group, stations, signal },
      ...(opening && { window: opening }),
      ...(most !== undefined && { maxUnavailable: most }),
    });
    out.result(state, `${group} has ${state.stations.length} stations`);
  });
  return undefined;
}

function windowOf(text: string, days: string | undefined) {
  const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (from === undefined || to === undefined)
    throw usage(`--window takes two times such as 22:00-05:30, not ${text}`);
  if (days === undefined) return { from, to };
  if (!/^[0-6](,[0-6])*$/.test(days))
    throw usage(`--days takes days from 0 (Sunday) to 6 such as 1,2,3, not ${days}`);
  return { from, to, days: days.split(',').map(Number) };
}
