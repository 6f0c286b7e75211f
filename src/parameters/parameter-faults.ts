import type { FieldIssue } from '../errors.js';
import type { StepParameter } from '../package/types.js';
import { pythonPattern } from './python-pattern.js';
import type { StepParameters } from './types.js';
import { isKnownType, ruleOf } from './value-rules.js';

/**
 * What is odd about the parameters that a package declares: two of one name, a type that is not known, bounds that no value
 * meets, a default that is not allowed. Each is a warning of the package's check: such a rule is not applied, or refuses
 * every value.
 */
export function parameterFaults(steps: readonly StepParameters[]): FieldIssue[] {
  return steps.flatMap(({ index, params = [] }) => {
    const seen = new Set<string>();
    return params.flatMap((parameter) => {
      const path = `step ${index}, ${parameter.key}`;
      const issues = faultsOf(parameter).map((message) => ({ path, message }));
      if (seen.has(parameter.key)) issues.push({ path, message: 'is declared twice: the last one counts' });
      seen.add(parameter.key);
      return issues;
    });
  });
}

function faultsOf(parameter: StepParameter): string[] {
  const { type, default: standard, required } = parameter;
  // What a package declares need not be of the type that it should be.
  const {
    min,
    max,
    choices,
    pattern,
    min_length: least,
    max_length: most,
  } = parameter as unknown as Partial<Record<string, unknown>>;
  if (!isKnownType(type)) {
    return [
      `has the type ${JSON.stringify(type)}: known are int, float, string, enum, bool and rect. Its values are not checked`,
    ];
  }
  const faults: string[] = [];
  for (const [name, low, high] of [
    ['min and max', min, max],
    ['min_length and max_length', least, most],
  ] as const) {
    for (const bound of [low, high]) {
      const isNumber = typeof bound === 'number' && Number.isFinite(bound);
      if (bound !== undefined && bound !== null && !isNumber) faults.push(`has ${name} that are no numbers`);
    }
    if (typeof low === 'number' && typeof high === 'number' && low > high) {
      faults.push(`has ${name} that no value meets: ${low} is above ${high}`);
    }
  }
  if (type === 'enum' && (!Array.isArray(choices) || choices.length === 0))
    faults.push('is an enum without choices');
  if (pattern !== undefined && pattern !== null && (typeof pattern !== 'string' || !pythonPattern(pattern))) {
    faults.push('has a pattern that cannot be checked outside of Python');
  }
  if (standard !== undefined && standard !== null) {
    const fault = ruleOf(parameter)?.(standard);
    if (fault) faults.push(`has a default that its own rule refuses: it ${fault.message}`);
  }
  if (required === true && standard !== undefined && standard !== null) {
    faults.push('is required and has a default: the default is used');
  }
  return faults;
}
