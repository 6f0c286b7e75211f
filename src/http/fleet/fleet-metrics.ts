import type { FleetStatus, RolloutStatus, StationStatus } from '../../fleet/controller/status.js';
import { partsOf } from '../../fleet/state/refs.js';
import { Gauge, type MetricFamily } from '../../telemetry/exposition.js';

const MOST = 500;
const gauge = (name: string, help: string) => new Gauge(`procvision_fleet_${name}`, help, MOST);

/** The fleet as metrics: stations, what they serve, rollouts and their gates. */
export function fleetFamilies(status: FleetStatus): MetricFamily[] {
  const controller = gauge('controller', '1 where a controller holds the lease');
  controller.set({}, status.controller ? 1 : 0);
  const faults = gauge('faults', 'Values of the bucket that are not acted on');
  faults.set({}, status.faults.length);
  const bars = gauge('bars', 'Versions that no station may serve');
  bars.set({}, status.bars.length);
  return [controller, faults, bars, ...ofStations(status.stations), ...ofRollouts(status.rollouts)];
}

function ofStations(stations: readonly StationStatus[]): MetricFamily[] {
  const states = gauge('stations', 'Stations, by what they report and whether they can be reached');
  const reachable = gauge('station_reachable', '1 where a station has reported lately');
  const serving = gauge('serving', 'Stations that serve a product id by a version');
  const trial = gauge('on_trial', 'Stations that have a version on trial');
  const quarantined = gauge('quarantined', 'Stations that will not serve a version');
  count(
    states,
    stations.map(({ state, isReachable }) => ({ state, reachable: isReachable ? 'yes' : 'no' })),
  );
  for (const { station, isReachable } of stations) reachable.set({ station }, isReachable ? 1 : 0);
  const served = stations.flatMap(({ serving: ids, onTrial }) =>
    Object.entries(ids).map(([id, ref]) => ({
      ...versionOf(ref),
      product_id: id,
      isOnTrial: onTrial.includes(id),
    })),
  );
  count(
    serving,
    served.map(({ isOnTrial: _, ...labels }) => labels),
  );
  count(
    trial,
    served.flatMap(({ isOnTrial, ...labels }) => (isOnTrial ? [labels] : [])),
  );
  count(
    quarantined,
    stations.flatMap(({ quarantined: refs }) => Object.keys(refs).map(versionOf)),
  );
  return [states, reachable, serving, trial, quarantined];
}

function ofRollouts(rollouts: readonly RolloutStatus[]): MetricFamily[] {
  const wave = gauge('rollout_wave', 'The wave that a rollout is at, from 1');
  const stations = gauge('rollout_stations', 'Stations of a rollout, by where they stand');
  const gates = gauge('rollout_gate_open', '1 where a gate of the wave under way is open');
  for (const { id, name, version, state, wave: at, stations: reports, report } of rollouts) {
    const about = { rollout: id, package: name, version };
    wave.set({ ...about, state }, at);
    count(
      stations,
      reports.map(({ standing }) => ({ ...about, standing })),
    );
    for (const { gate, state: stands } of report?.checks ?? []) {
      gates.set({ ...about, gate, state: stands }, stands === 'open' ? 1 : 0);
    }
  }
  return [wave, stations, gates];
}

/** A sample for each set of labels, with how many there are. */
function count(family: Gauge, labels: readonly Record<string, string>[]): void {
  const counts = new Map<string, { labels: Record<string, string>; count: number }>();
  for (const one of labels) {
    const key = JSON.stringify(one);
    const known = counts.get(key) ?? { labels: one, count: 0 };
    known.count++;
    counts.set(key, known);
  }
  for (const { labels: one, count: many } of counts.values()) family.set(one, many);
}

function versionOf(ref: string): { package: string; version: string } {
  const { name, version } = partsOf(ref) ?? { name: ref, version: '' };
  return { package: name, version };
}
