import type { RunnerError } from '../errors.js';
import type { Check } from '../package/types.js';

/** Every check, in the order of a report: the SDK's own names, and after them those that only this library makes. */
export const CHECK_ORDER = [
  'manifest_exists',
  'manifest_load',
  'manifest_fields',
  'entry_import',
  'setup',
  'get_info',
  'step_schema',
  'supported_pids_match',
  'pre_execute_return_dict',
  'pre_status_valid',
  'pre_message_present',
  'execute_return_dict',
  'execute_status_valid',
  'execute_result_status_valid',
  'ng_reason_present',
  'defect_rects_type',
  'defect_rects_count_limit',
  'answer_encoding',
  'smoke_execute',
  'boundary_cases',
  'zip_open',
  'zip_layout',
  'zip_manifest',
  'zip_requirements',
  'zip_wheels',
  'wheel_names',
  'wheel_contents',
  'startup_code',
  'requirements_offline',
  'requirements_met',
  'python_compatible',
  'required_assets',
  'integrity',
  'environment',
] as const;

/** Name of a check. */
export type CheckName = (typeof CHECK_ORDER)[number];

/** Whether something is the name of a check. */
export function isCheckName(value: unknown): value is CheckName {
  return (CHECK_ORDER as readonly unknown[]).includes(value);
}

/** Checks that need the algorithm to run. */
export const SMOKE_CHECKS: readonly CheckName[] = CHECK_ORDER.slice(3, 20);

const NO_SUCH_THING = 'the execute-only generation has no such thing';

/** Of those, the checks that do not apply to the execute-only generation, and what the report says of each. */
export const PHASED_CHECKS: ReadonlyMap<CheckName, string> = new Map<CheckName, string>([
  ['setup', NO_SUCH_THING],
  ['get_info', NO_SUCH_THING],
  ['step_schema', NO_SUCH_THING],
  [
    'supported_pids_match',
    'the execute-only generation declares no product ids: the version takes any product id',
  ],
  ['pre_execute_return_dict', NO_SUCH_THING],
  ['pre_status_valid', NO_SUCH_THING],
  ['pre_message_present', NO_SUCH_THING],
]);

/** Sorts a report's checks. */
export function inReportOrder(checks: readonly Check[]): Check[] {
  const position = (name: string) => (CHECK_ORDER as readonly string[]).indexOf(name);
  return [...checks].sort((a, b) => position(a.name) - position(b.name));
}

/** Collects checks and the failures behind them, and tells each as it is made. */
export class CheckList {
  readonly checks: Check[] = [];
  /** What an install would reject with, in the order found. */
  readonly failures: RunnerError[] = [];
  readonly #onCheck: (check: Check) => void;
  #since = performance.now();

  constructor(onCheck: (check: Check) => void = () => undefined) {
    this.#onCheck = onCheck;
  }

  pass(name: CheckName, message = ''): void {
    this.add({ name, result: 'PASS', message, durationMs: this.#lap() });
  }

  fail(name: CheckName, error: RunnerError): void {
    this.failures.push(error);
    this.add({ name, result: 'FAIL', message: error.message, durationMs: this.#lap() });
  }

  skip(name: CheckName, why: string): void {
    this.add({ name, result: 'SKIP', message: why, durationMs: 0 });
  }

  add(check: Check): void {
    this.checks.push(check);
    this.#onCheck(check);
  }

  has(name: CheckName): boolean {
    return this.checks.some((check) => check.name === name);
  }

  #lap(): number {
    const now = performance.now();
    const took = now - this.#since;
    this.#since = now;
    return took;
  }
}
