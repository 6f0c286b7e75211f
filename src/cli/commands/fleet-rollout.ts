import { stat } from 'node:fs/promises';
import type { RolloutPlan, RolloutRequest, WaveOptions } from 'procvision-runner/fleet';
import { withFleet } from '../fleet/connect.js';
import { EXIT, usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';
import { formatBytes } from '../terminal/progress.js';
import { formatTable } from '../terminal/table.js';

export async function run(call: Call): Promise<number | undefined> {
  const { words, out, signal, options, operator: by } = call;
  const [name = '', version = '', ...productIds] = words;
  const { wave: waves = [], source: sources } = options as { wave?: string[]; source?: string[] };
  const { onFailure, id } = options as { onFailure?: 'back' | 'halt'; id?: string };
  if (waves.length === 0)
    throw usage('A rollout needs its waves: --wave GROUP, --wave GROUP:10% or --wave station:S1,S2');
  const request: RolloutRequest = {
    ...{ name, version, by, ...(await packageOf(call)), waves: waves.map(waveOf), gates: gatesOf(call) },
    ...(productIds.length > 0 && { productIds }),
    ...(sources && { sources }),
    ...(onFailure && { onFailure }),
    ...(id !== undefined && { id }),
  };
  return withFleet(call, async ({ operator }) => {
    if (options.dryRun === true) {
      const plan = await operator.plan({ ...request, signal });
      out.result(plan, () => planText(plan));
      return plan.refused === undefined ? undefined : EXIT.failed;
    }
    const rollout = await operator.rollout({ ...request, signal });
    out.result(rollout, `${rollout.rollout} is ordered: fleet status shows how far it is`);
    return undefined;
  });
}

/** Digest and size of the package, from the file or from what was given. */
async function packageOf(call: Call): Promise<{ digest: string; sizeBytes?: number }> {
  const { package: given, digest } = call.options as { package?: string; digest?: string };
  if ((given === undefined) === (digest === undefined))
    throw usage('Give the package by --package FILE, or its digest by --digest HEX');
  if (given === undefined) return { digest: digest ?? '' };
  const file = await findFile(call, given, 'package');
  const { openArchive, packageDigest } = await import('procvision-runner/signing');
  const archive = await openArchive(file);
  try {
    const read = await packageDigest(archive, { signal: call.signal });
    return { digest: read, sizeBytes: (await stat(file)).size };
  } finally {
    await archive.close();
  }
}

/** `east`, `east:10%`, `station:s1,s2` */
function waveOf(text: string): WaveOptions {
  const stations = /^station:(.+)$/.exec(text)?.[1];
  if (stations !== undefined) return { stations: stations.split(',').filter((one) => one !== '') };
  const [, group = text, percent] = /^(.+):(\d{1,3}(?:\.\d+)?)%$/.exec(text) ?? [];
  if (percent === undefined) return { group };
  const share = Number(percent) / 100;
  if (share > 0 && share <= 1) return { group, share };
  throw usage(`--wave takes a share above 0% and at most 100%, not ${text}`);
}

function gatesOf({ options }: Call): NonNullable<RolloutRequest['gates']> {
  const { accepted, failed, acceptable, rejectable, drift, latency, minCalls, soak, deadline } =
    options as Record<string, number | undefined>;
  const test = fields({ acceptableRate: acceptable, rejectableRate: rejectable });
  const isTested = options.errors === true || Object.keys(test).length > 0;
  return {
    ...fields({ acceptedShare: accepted, failedShare: failed, maxDrift: drift, maxLatencyRatio: latency }),
    ...fields({ minCalls, soakMs: soak, deadlineMs: deadline }),
    ...(isTested && { errors: test }),
    ...(options.approval === true && { approval: true }),
  };
}

/** Without what was not given. */
function fields(given: Record<string, number | undefined>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

function planText({ refused, waves, bytes, name, version }: RolloutPlan): string {
  const rows = waves.flatMap(({ group, stations }, index) =>
    stations.map((one) => ({
      wave: index + 1,
      group,
      station: one.station,
      from: Object.entries(one.from)
        .map(([id, ref]) => `${id}=${ref ?? 'nothing'}`)
        .join(' '),
      standing: one.standing,
      bytes: one.bytes === undefined ? '?' : formatBytes(one.bytes),
    })),
  );
  const total = bytes === undefined ? 'a size that is not known: give --package' : formatBytes(bytes);
  return [
    ...(refused === undefined ? [] : [`It would be refused: ${refused}`]),
    ...(rows.length > 0 ? [formatTable(rows), `${name} ${version} would move ${total} at most`] : []),
  ].join('\n');
}
