import type { DeliveryReport } from 'procvision-runner/outbox';
import { EXIT } from '../host.js';
import { askStation, tellReport } from '../outbox/station.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<number> {
  const report = (await askStation(call, 'GET', '/outbox')) as DeliveryReport;
  tellReport(call, report);
  const { outbox, delivery } = report;
  const isWell = ['up', 'unknown'].includes(delivery.network) && outbox.aside === 0;
  return isWell && outbox.diskError === undefined ? EXIT.done : EXIT.failed;
}
