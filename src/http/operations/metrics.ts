import { OPENMETRICS_TYPE } from '../../telemetry/runner-metrics.js';
import type { Call } from '../types.js';

/** GET /metrics: the text of OpenMetrics 1.0. */
export async function metrics({ options }: Call): Promise<Response> {
  return new Response(await options.metrics.text(), {
    headers: { 'content-type': OPENMETRICS_TYPE, 'cache-control': 'no-store' },
  });
}
