import path from 'node:path';
import * as v from 'valibot';
import type { Delivery } from '../../outbox/delivery/delivery.js';
import { audited } from '../../store/audit-log.js';
import { fields, readJson, readOptionalJson, refuseBody, text } from '../body.js';
import { notServed } from '../parts.js';
import type { Call } from '../types.js';

/** A path from the root, of POSIX or of Windows. */
export const ABSOLUTE = /^(?:\/|[A-Za-z]:[\\/]|\\\\)/;

/** Body of a retry. */
export const RETRY_BODY = fields({ aside: v.optional(v.boolean('must be true or false')) });
/** Body of an export. */
export const EXPORT_BODY = fields({
  folder: v.pipe(text, v.regex(ABSOLUTE, 'must be an absolute path of the station')),
});

/** GET /outbox: what waits, how delivery stands, and what was refused last. */
export async function outbox(call: Call): Promise<Response> {
  return report(deliveryOf(call));
}

/** POST /outbox/pause. */
export async function pauseOutbox(call: Call): Promise<Response> {
  await refuseBody(call);
  const delivery = deliveryOf(call);
  await asAudited(call, 'outbox_pause', {}, () => delivery.pause());
  return report(delivery);
}

/** POST /outbox/resume. */
export async function resumeOutbox(call: Call): Promise<Response> {
  await refuseBody(call);
  const delivery = deliveryOf(call);
  await asAudited(call, 'outbox_resume', {}, () => delivery.resume());
  return report(delivery);
}

/** POST /outbox/retry: what waits for its retry, with `aside` what was refused too. */
export async function retryOutbox(call: Call): Promise<Response> {
  const { aside = false } = await readOptionalJson(call, RETRY_BODY);
  const delivery = deliveryOf(call);
  await asAudited(call, 'outbox_retry', { aside }, () => delivery.retry({ aside }));
  return report(delivery);
}

/** POST /outbox/export: copies what waits to a folder of the station. A client that goes away ends it. */
export async function exportOutbox(call: Call): Promise<Response> {
  const { folder } = await readJson(call, EXPORT_BODY);
  const delivery = deliveryOf(call);
  const { signal } = call.request;
  return Response.json(
    await asAudited(call, 'outbox_export', { folder }, () => delivery.export(folder, { signal })),
  );
}

async function report(delivery: Delivery): Promise<Response> {
  return Response.json(await delivery.report(), { headers: { 'cache-control': 'no-store' } });
}

/** Who asked for it, and how it went, is a line of the audit logs. */
function asAudited<T>(
  { operator, options: { registry } }: Call,
  operation: string,
  about: Record<string, unknown>,
  work: () => Promise<T>,
): Promise<T> {
  return audited(path.join(registry.layout.logs, 'outbox.log'), { operation, operator, ...about }, work);
}

function deliveryOf({ options: { delivery } }: Call): Delivery {
  if (delivery) return delivery;
  throw notServed('delivery', 'delivers nothing');
}
