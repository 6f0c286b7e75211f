import type { Check, Manifest, ValidationReport } from '../package/types.js';
import type { RunnerError } from '../errors.js';
import { inReportOrder } from './check-names.js';

/** The report of a list of checks, in the shape of the SDK's own. */
export function makeReport(
  checks: readonly Check[],
  extra: { error?: RunnerError; manifest?: Manifest; info?: Record<string, unknown> } = {},
): ValidationReport {
  const count = (result: Check['result']) => checks.filter((check) => check.result === result).length;
  const failed = count('FAIL');
  return {
    summary: {
      status: failed > 0 || extra.error ? 'FAIL' : 'PASS',
      passed: count('PASS'),
      failed,
      skipped: count('SKIP'),
    },
    checks: inReportOrder(checks),
    ...extra,
  };
}

/** The report as a person reads it: one line a check, what failed first said in full. */
export function formatReport(report: ValidationReport): string {
  const { summary, checks, error, manifest } = report;
  const title = manifest ? `${manifest.name} ${manifest.version}: ` : '';
  const head = `${title}${summary.status} (${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped)`;
  const width = Math.max(...checks.map(({ name }) => name.length), 0);
  const lines = checks.map(({ name, result, message }) =>
    `  ${result}  ${name.padEnd(width)}  ${message}`.trimEnd(),
  );
  const traceback = error?.details.traceback;
  return [
    head,
    ...lines,
    ...(error ? ['', `${error.code}: ${error.message}`] : []),
    ...(traceback === undefined ? [] : [traceback]),
  ].join('\n');
}
