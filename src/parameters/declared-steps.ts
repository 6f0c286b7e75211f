import { isRecord } from '../arguments.js';
import type { StepParameter } from '../package/types.js';
import type { StepParameters } from './types.js';

/** A schema of a version above this size in JSON is not kept: its parameters go to the algorithm unchecked. */
export const MOST_SCHEMA_CHARACTERS = 65_536;

/**
 * The steps of a list that comes from a package, `get_info()["steps"]` or the manifest's. What is no step, or no
 * parameter with a key and a type, is left out: it can be named by nobody.
 */
export function declaredSteps(steps: unknown): StepParameters[] {
  if (!Array.isArray(steps)) return [];
  return steps.flatMap((step: unknown) => {
    if (!isRecord(step) || !Number.isSafeInteger(step.index) || Number(step.index) < 0) return [];
    const { index, name, params } = step;
    return [
      {
        index: Number(index),
        ...(typeof name === 'string' && { name }),
        ...(Array.isArray(params) && { params: params.filter(isParameter) }),
      },
    ];
  });
}

function isParameter(value: unknown): value is StepParameter {
  return (
    isRecord(value) &&
    typeof value.key === 'string' &&
    value.key !== '' &&
    value.key !== '__proto__' &&
    typeof value.type === 'string'
  );
}

/** The steps for the registry; undefined where no step declares parameters, or more of them than are kept. */
export function keptSteps(steps: unknown): StepParameters[] | undefined {
  const declared = declaredSteps(steps);
  if (!declared.some(({ params = [] }) => params.length > 0)) return undefined;
  return JSON.stringify(declared).length <= MOST_SCHEMA_CHARACTERS ? declared : undefined;
}
