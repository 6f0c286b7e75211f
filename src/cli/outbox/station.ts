import { isRecord } from '../../arguments.js';
import type { DeliveryReport, ExportReport } from 'procvision-runner/outbox';
import { askServe } from '../serve/ask.js';
import type { Call } from '../spec.js';

/** Asks the outbox of a running `serve`. @throws CliFailure 1 where there is none, or it refuses */
export function askOutbox(
  call: Call,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<DeliveryReport> {
  return askServe(call, {
    ...{ ...placeOf(call), method, path, ...(body && { body }) },
    isAnswer: (answer): answer is DeliveryReport => isRecord(answer) && isRecord(answer.outbox),
  });
}

/** Has the outbox of a running `serve` copy what waits. @throws CliFailure as {@link askOutbox} */
export function askExport(call: Call, folder: string): Promise<ExportReport> {
  return askServe(call, {
    ...{ ...placeOf(call), method: 'POST', path: '/outbox/export', body: { folder } },
    isAnswer: (answer): answer is ExportReport => isRecord(answer) && typeof answer.folder === 'string',
  });
}

function placeOf({ options }: Call) {
  return {
    ...({ address: options.url as string, flag: '--url', what: 'this' } as const),
    start: 'Start it by serve --outbox FILE, or name its address with --url',
  };
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
  tellReport(call, await askOutbox(call, 'POST', path, body));
  return undefined;
}
