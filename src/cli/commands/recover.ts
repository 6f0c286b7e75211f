import type { Call } from '../spec.js';
import { withRunner } from '../store.js';

export async function run(call: Call): Promise<undefined> {
  await withRunner(call, async ({ deployer }) => {
    const report = await deployer.recover({ signal: call.signal });
    const about = ({ name = '?', version = '?' }) => ({ name, version });
    const rows = [
      ...report.recovered.map((one) => ({ ...about(one), operation: one.operation, outcome: one.outcome })),
      ...report.busy.map((one) => ({
        ...about(one),
        operation: one.operation,
        outcome: 'under way elsewhere',
      })),
    ];
    call.out.table(report, rows, 'Nothing was left behind');
  });
  return undefined;
}
