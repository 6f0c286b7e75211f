import type { RunnerError } from '../../errors.js';
import { showAs } from '../../readable.js';
import type { AnswerComparison } from './comparison.js';
import { LatencyWindow, type LatencySummary } from '../latency.js';

/** One call in which the two did not agree, or that one of them failed, or that could not be read. */
export interface Disagreement {
  /** Request or recorded call. */
  id: string;
  /** The two answers, when both were given. */
  comparison?: AnswerComparison;
  /** Code and message, when the other version failed, or the recorded call could not be read. */
  failure?: {
    /** Code of its error. */
    code: string;
    /** Message of its error. */
    message: string;
  };
}

/** How a version did beside another one, or beside a recording. */
export interface ComparisonReport {
  /** What it was held against: `name version`, or the recording. */
  expected: string;
  /** What it was compared with, `name version`. */
  actual: string;
  /** Calls whose answers were compared. */
  compared: number;
  /** Of these, those that agreed. */
  agreed: number;
  /** Share of `compared` that agreed; undefined before the first. */
  agreement: number | undefined;
  /** Calls in which the compared version gave no answer. */
  failed: number;
  /** Calls that were left out: no worker was free for them, the call itself had failed, or its record cannot be read. */
  skipped: number;
  /** Calls by verdict of each, for example `NG -> OK`. */
  verdicts: Record<string, number>;
  /** Sums over all calls; the overlap is the mean over matched boxes. */
  boxes: {
    /** That both have. */
    matched: number;
    /** That only the expected answers have. */
    missing: number;
    /** That only the tried version has. */
    extra: number;
    /** Mean intersection over union of the matched ones; undefined when there are none. */
    meanIou: number | undefined;
  };
  /** At the worker, in milliseconds. */
  latency: {
    /** Of what it was held against. */
    expected: LatencySummary;
    /** Of the tried version. */
    actual: LatencySummary;
  };
  /** The first hundred. */
  disagreements: Disagreement[];
}

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
