import path from 'node:path';
import type { Check, ValidationReport } from '../package/types.js';
import { printable } from '../package/text.js';
import { showAs } from '../readable.js';
import { inReportOrder } from './check-list.js';

/** The report of a list of checks, in the shape of the SDK's own. */
export function makeReport(
  checks: readonly Check[],
  extra: Pick<ValidationReport, 'error' | 'manifest' | 'info' | 'warnings' | 'boundaryCases'> = {},
): ValidationReport {
  const count = (result: Check['result']) => checks.filter((check) => check.result === result).length;
  const failed = count('FAIL');
  const report: ValidationReport = {
    summary: {
      status: failed > 0 || extra.error ? 'FAIL' : 'PASS',
      passed: count('PASS'),
      failed,
      skipped: count('SKIP'),
    },
    checks: inReportOrder(checks),
    ...extra,
  };
  showAs(report, 'ValidationReport', () => formatReport(report));
  return report;
}

/** The report as a person reads it: one line a check, then warnings, and what failed first said in full. */
export function formatReport(report: ValidationReport): string {
  const { summary, checks, error, warnings = [] } = report;
  const title = titleOf(report);
  const head = `${title}${summary.status} (${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped)`;
  const width = Math.max(...checks.map(({ name }) => name.length), 0);
  return [
    head,
    ...checks.map(({ name, result, message }) => `  ${result}  ${name.padEnd(width)}  ${message}`),
    ...warnings.map((warning) => `  note: ${warning}`),
    ...(error ? ['', `${error.code}: ${error.message}`] : []),
    ...(error?.details.traceback?.trimEnd().split('\n') ?? []),
  ]
    .map((line) => printable(line).trimEnd())
    .join('\n');
}

/** What the report is of: the package by its own name, or the file when it came to nothing more. */
function titleOf({ manifest, error }: ValidationReport): string {
  if (manifest) return `${manifest.name} ${manifest.version}: `;
  const file = error?.details.path;
  return file === undefined ? '' : `${path.basename(file)}: `;
}
