import { EXIT } from '../host.js';
import { askOutbox, tellReport } from '../outbox/station.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<number> {
  const report = await askOutbox(call, 'GET', '/outbox');
  tellReport(call, report);
  const { outbox, delivery } = report;
  const isWell = ['up', 'unknown'].includes(delivery.network) && outbox.aside === 0;
  return isWell && outbox.diskError === undefined ? EXIT.done : EXIT.failed;
}
