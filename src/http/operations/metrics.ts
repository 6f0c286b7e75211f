import { exposition } from '../../telemetry/exposition.js';
import { OPENMETRICS_TYPE } from '../../telemetry/runner-metrics.js';
import { fleetFamilies } from '../fleet/fleet-metrics.js';
import type { Call } from '../types.js';

/** GET /metrics: the text of OpenMetrics 1.0. */
export async function metrics({ options }: Call): Promise<Response> {
  const own = await options.metrics.families();
  // A bucket that does not answer leaves the metrics of the station as they are.
  const status = await options.fleetLook?.status().catch(() => undefined);
  const fleet = status ? fleetFamilies(status) : [];
  return new Response(exposition([...own, ...fleet]), {
    headers: { 'content-type': OPENMETRICS_TYPE, 'cache-control': 'no-store' },
  });
}
