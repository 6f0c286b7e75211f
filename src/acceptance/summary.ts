import type { VersionRef } from '../package/types.js';
import { LatencyWindow } from '../supervisor/latency.js';
import type { AcceptanceSummary, AcceptanceVerdict, ConfusionTable, Label } from './types.js';

/** The columns of the table. */
export const VERDICTS: readonly AcceptanceVerdict[] = ['OK', 'NG', 'ERROR', 'none', 'failed'];

/** What a version came to. */
export function summaryOf(
  { name, version }: VersionRef,
  answers: readonly { expected: Label; verdict: AcceptanceVerdict; timeMs?: number }[],
): AcceptanceSummary {
  const row = (): ConfusionTable['OK'] => ({ OK: 0, NG: 0, ERROR: 0, none: 0, failed: 0 });
  const confusion: ConfusionTable = { OK: row(), NG: row() };
  const times = new LatencyWindow(Math.max(1, answers.length));
  let wrong = 0;
  for (const { expected, verdict, timeMs } of answers) {
    confusion[expected][verdict]++;
    if (verdict !== expected) wrong++;
    if (timeMs !== undefined) times.add(timeMs);
  }
  return {
    ...{ name, version, confusion, wrong, times: times.summary() },
    escapes: confusion.NG.OK,
    falseRejects: confusion.OK.NG,
  };
}
