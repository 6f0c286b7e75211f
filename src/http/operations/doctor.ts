import { settleOrAbort } from '../../abort.js';
import { checkDoctorOptions } from '../../runner/diagnosis.js';
import { QUERIES, readQuery } from '../query.js';
import type { Call } from '../types.js';
import { asJson } from './as-json.js';

/** GET /doctor: every finding of the station, or of one version; errors are first. Nothing is changed. */
export async function doctor(call: Call): Promise<Response> {
  const { registry, examinations } = call.options;
  const asked = readQuery(call.url, QUERIES.doctor);
  const { name, version } = asked;
  checkDoctorOptions({ ...(name !== undefined && { name }), ...(version !== undefined && { version }) });
  // A client that goes away does not end a look that others wait for.
  const findings = await settleOrAbort(call.request.signal, examinations.ask(call.options, asked));
  return Response.json(asJson(findings, registry.layout.root), { headers: { 'cache-control': 'no-store' } });
}
