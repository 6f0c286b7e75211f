import { healthOf } from '../../runner/health.js';
import type { HealthReport } from '../../runner/types.js';
import { withoutPaths } from '../../redact-paths.js';
import type { Call } from '../types.js';

/** GET /health/live, GET /v2/health/live: this very answer shows it. */
export function live(): Response {
  return Response.json({ live: true });
}

/** GET /health, GET /health/ready, GET /v2/health/ready: 200 where every active version answers calls, else 503 with reasons. */
export async function ready({ request, options }: Call): Promise<Response> {
  const report = await reportOf(options, request.signal);
  return Response.json(withoutPaths(report, options.registry.layout.root), {
    status: report.ready ? 200 : 503,
    headers: { 'cache-control': 'no-store', ...(!report.ready && { 'retry-after': '1' }) },
  });
}

async function reportOf(
  { registry, supervisor }: Call['options'],
  signal: AbortSignal,
): Promise<HealthReport> {
  if (supervisor) return healthOf({ registry, supervisor }, { isOpen: true, signal });
  const check = await registry.list({}, { signal }).then(
    (entries) => ({ ok: true, message: `${entries.length} deployed; this server runs no versions` }),
    (error: unknown) => ({ ok: false, message: (error as Error).message }),
  );
  return { live: true, ready: check.ok, checks: [{ name: 'store', ...check }] };
}
