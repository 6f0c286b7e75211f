import type { DeliveryReport } from 'procvision-runner/outbox';
import { CliFailure, EXIT } from '../host.js';
import { readToken } from '../serve/token.js';
import type { Call } from '../spec.js';
import { findFile } from '../store.js';

/** Asks an endpoint of the station. @throws CliFailure 1 where there is none, or it refuses */
export async function askStation(
  call: Call,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const { url, tokenFile } = call.options as { url: string; tokenFile?: string };
  const token =
    tokenFile === undefined ? undefined : await readToken(await findFile(call, tokenFile, 'token file'));
  const target = `${url.replace(/\/+$/, '')}${path}`;
  const response = await fetch(target, {
    method,
    signal: call.signal,
    redirect: 'error',
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    if (call.signal.aborted) throw error;
    throw new CliFailure(
      `No station answers at ${url}: start it by serve --outbox FILE, or name its --url`,
      EXIT.failed,
    );
  });
  const answer = (await response.json().catch(() => ({}))) as { detail?: string };
  if (response.ok) return answer;
  throw new CliFailure(
    `${target} answered ${response.status}: ${answer.detail ?? response.statusText}`,
    EXIT.failed,
  );
}

/** Shows how an outbox stands. */
export function tellReport({ out }: Call, report: DeliveryReport): void {
  const { outbox, delivery, aside } = report;
  const rows = Object.entries(outbox.due).map(([priority, { records, bytes }]) => ({
    ...{ priority, waiting: records, bytes },
    'given up': outbox.shed[priority as keyof typeof outbox.shed].records,
  }));
  out.table(report, rows, '');
  if (out.isJson) return;
  const { lastFault } = delivery;
  out.say(
    `${delivery.state}, ${delivery.network}, to ${delivery.to}; ${outbox.delivered} delivered, ${outbox.aside} refused`,
  );
  if (lastFault && delivery.network !== 'up') out.warn(lastFault.reason);
  const { lastPictureFault: fault } = outbox;
  if (fault)
    out.warn(`a picture could not be encoded at ${new Date(fault.at).toISOString()}: ${fault.reason}`);
  if (outbox.diskError !== undefined) out.warn(`the disk takes no record: ${outbox.diskError}`);
  for (const { ingestId, reason } of aside) out.warn(`${ingestId}: ${reason}`);
}

/** Sends an order, and shows how the outbox stands then. */
export async function order(call: Call, path: string, body?: object): Promise<undefined> {
  tellReport(call, (await askStation(call, 'POST', path, body)) as DeliveryReport);
  return undefined;
}
