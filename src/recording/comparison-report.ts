import type { RunnerError } from '../errors.js';
import { showAs } from '../readable.js';
import { LatencyWindow, type LatencySummary } from '../supervisor/latency.js';
import type { AnswerComparison, ComparisonReport, Disagreement } from '../supervisor/recording-types.js';

const MOST_DISAGREEMENTS = 100;

/** Gathers comparisons into a report. */
export class ComparisonLog {
  readonly #expected: string;
  readonly #actual: string;
  readonly #latency = { expected: new LatencyWindow(4_096), actual: new LatencyWindow(4_096) };
  readonly #verdicts = new Map<string, number>();
  readonly #disagreements: Disagreement[] = [];
  readonly #boxes = { matched: 0, missing: 0, extra: 0, iouSum: 0 };
  #compared = 0;
  #agreed = 0;
  #failed = 0;
  #skipped = 0;

  constructor(expected: string, actual: string) {
    this.#expected = expected;
    this.#actual = actual;
  }

  compared(id: string, comparison: AnswerComparison, expectedMs: number, actualMs: number): void {
    const { agrees, expected, actual, boxes } = comparison;
    this.#compared++;
    if (agrees) this.#agreed++;
    else this.#note({ id, comparison });
    const verdicts = `${expected} -> ${actual}`;
    this.#verdicts.set(verdicts, (this.#verdicts.get(verdicts) ?? 0) + 1);
    this.#boxes.matched += boxes.matched;
    this.#boxes.missing += boxes.missing.length;
    this.#boxes.extra += boxes.extra.length;
    this.#boxes.iouSum += (boxes.meanIou ?? 0) * boxes.matched;
    this.#latency.expected.add(expectedMs);
    this.#latency.actual.add(actualMs);
  }

  failed(id: string, { code, message }: RunnerError): void {
    this.#failed++;
    this.#note({ id, failure: { code, message } });
  }

  /** Left out of the comparison; with a reason if the report should show it. */
  skipped(why?: { id: string; error: RunnerError }): void {
    this.#skipped++;
    if (why) this.#note({ id: why.id, failure: { code: why.error.code, message: why.error.message } });
  }

  report(): ComparisonReport {
    const { matched, missing, extra, iouSum } = this.#boxes;
    const report: ComparisonReport = {
      expected: this.#expected,
      actual: this.#actual,
      compared: this.#compared,
      agreed: this.#agreed,
      agreement: this.#compared === 0 ? undefined : this.#agreed / this.#compared,
      failed: this.#failed,
      skipped: this.#skipped,
      verdicts: Object.fromEntries(this.#verdicts),
      boxes: { matched, missing, extra, meanIou: matched === 0 ? undefined : iouSum / matched },
      latency: { expected: this.#latency.expected.summary(), actual: this.#latency.actual.summary() },
      disagreements: [...this.#disagreements],
    };
    showAs(report, 'ComparisonReport', () => formatComparison(report).trimEnd());
    return report;
  }

  #note(disagreement: Disagreement): void {
    if (this.#disagreements.length < MOST_DISAGREEMENTS) this.#disagreements.push(disagreement);
  }
}

/** The report as people read it, some lines of plain text. */
export function formatComparison(report: ComparisonReport): string {
  const { compared, agreed, agreement, failed, skipped, boxes, latency } = report;
  const ms = ({ p50Ms, p99Ms }: LatencySummary) =>
    `p50 ${p50Ms?.toFixed(1) ?? '-'} ms, p99 ${p99Ms?.toFixed(1) ?? '-'} ms`;
  const lines = [
    `${report.actual} beside ${report.expected}: ${agreed} of ${compared} calls agree` +
      (agreement === undefined ? '' : ` (${(agreement * 100).toFixed(1)} %)`),
    `  no answer: ${failed}, left out: ${skipped}`,
    ...Object.entries(report.verdicts).map(([verdicts, calls]) => `  verdict ${verdicts}: ${calls}`),
    `  boxes: ${boxes.matched} matched (mean IoU ${boxes.meanIou?.toFixed(2) ?? '-'}), ${boxes.missing} missing, ${boxes.extra} extra`,
    `  latency: ${ms(latency.actual)} beside ${ms(latency.expected)}`,
    ...report.disagreements
      .slice(0, 10)
      .map(({ id, comparison, failure }) =>
        failure
          ? `  ${id}: ${failure.code}: ${failure.message}`
          : `  ${id}: ${comparison?.expected ?? ''} -> ${comparison?.actual ?? ''}, ` +
            `${comparison?.boxes.missing.length ?? 0} boxes missing, ${comparison?.boxes.extra.length ?? 0} extra`,
      ),
  ];
  return `${lines.join('\n')}\n`;
}
