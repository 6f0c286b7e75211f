import type { FleetStatus } from 'procvision-runner/fleet';
import { withFleet } from '../fleet/connect.js';
import type { Call } from '../spec.js';
import { formatTable } from '../terminal/table.js';
import { pause } from '../terminal/wait.js';

const EVERY_MS = 1_000;

export async function run(call: Call): Promise<undefined> {
  const { out, options, signal, host } = call;
  await withFleet(call, async ({ operator }) => {
    if (options.follow !== true) {
      const status = await operator.status({ signal });
      out.result(status, () => textOf(status));
      return;
    }
    for (let printed = ''; !signal.aborted;) {
      const status = await operator.status({ signal });
      const text = textOf(status);
      if (text === printed) {
        await pause(EVERY_MS, signal);
        continue;
      }
      printed = text;
      const clear = host.stdout.isTTY && !out.isJson ? '\u001b[H\u001b[2J' : '';
      out.line(status, clear + text);
    }
  });
  return undefined;
}

function textOf({ plant, controller, stations, bars, rollouts, faults }: FleetStatus): string {
  const acts = controller ? `${controller.holder} acts (term ${controller.term})` : 'no controller acts';
  const shown = stations.map(({ station, isReachable, state, serving, quarantined }) => ({
    station,
    state: isReachable ? state : `away, ${state}`,
    serving: words(serving, '=') || undefined,
    quarantined: Object.keys(quarantined).join(' ') || undefined,
  }));
  const parts = [
    `${plant}: ${acts}`,
    shown.length > 0 ? formatTable(shown) : 'No station has reported yet',
    // Below the table: a cell would cut off the remedy, which stands at the end.
    ...stations.flatMap(({ station, reason }) => (reason === undefined ? [] : [`${station}: ${reason}`])),
    ...bars.map(({ name, version, reason, by }) => `barred: ${name} ${version}: ${reason} (${by})`),
    ...rollouts.map(rolloutText),
    ...faults.map(({ key, reason }) => `not acted on: ${key}: ${reason}`),
  ];
  return parts.join('\n');
}

function rolloutText({
  id,
  name,
  version,
  state,
  reason,
  wave,
  waves,
  report,
  stations,
}: FleetStatus['rollouts'][number]): string {
  const counts = new Map<string, number>();
  for (const { standing } of stations) counts.set(standing, (counts.get(standing) ?? 0) + 1);
  const standing = [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
  const head = `rollout ${id}: ${name} ${version}, ${state}, wave ${wave} of ${waves}${standing && `: ${standing}`}`;
  const gates = (report?.checks ?? []).map((check) => `  ${check.gate}: ${check.state}: ${check.reason}`);
  const failed = stations.filter((one) => one.standing === 'failed');
  return [
    head + (reason === undefined ? '' : ` (${reason})`),
    ...gates,
    ...failed.map((one) => `  ${one.station} failed: ${one.reason ?? 'no reason given'}`),
  ].join('\n');
}

function words(map: Readonly<Record<string, string>>, between: string): string {
  return Object.entries(map)
    .map(([key, value]) => key + between + value)
    .join(' ');
}
