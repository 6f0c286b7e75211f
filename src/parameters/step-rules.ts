import { RunnerError, type FieldIssue } from '../errors.js';
import { nearest } from '../options.js';
import type { StepParameter, VersionRef } from '../package/types.js';
import type { ParameterValues, StepParameters } from './types.js';
import { ruleOf, type PictureSize, type ValueFault, type ValueRule } from './value-rules.js';

/** A parameter with its rule, made once for all calls. */
interface Ruled {
  parameter: StepParameter;
  rule: ValueRule | undefined;
}

export interface ParameterFault extends ValueFault {
  key: string;
}

/** What the parameters of each step of a version must be; made once, when the version is started. */
export class StepRules {
  readonly #steps = new Map<number, Map<string, Ruled>>();
  /** Names of the parameters that are regions, by step. */
  readonly #regions = new Map<number, string[]>();

  constructor(steps: readonly StepParameters[]) {
    for (const { index, params } of steps) {
      if (!params || params.length === 0) continue; // an empty list is what the SDK's own scaffold writes
      this.#steps.set(
        index,
        new Map(params.map((parameter) => [parameter.key, { parameter, rule: ruleOf(parameter) }])),
      );
      const regions = params.filter(({ type }) => type === 'rect').map(({ key }) => key);
      if (regions.length > 0) this.#regions.set(index, regions);
    }
  }

  /** Whether there is anything to check. */
  get isEmpty(): boolean {
    return this.#steps.size === 0;
  }

  /** Names of a step's parameters; undefined for a step that takes any. */
  keysOf(stepIndex: number): { has(key: string): boolean } | undefined {
    return this.#steps.get(stepIndex);
  }

  /** Names of all parameters, in the order in which they are declared. */
  get keys(): string[] {
    return [...new Set([...this.#steps.values()].flatMap((parameters) => [...parameters.keys()]))];
  }

  /**
   * The values of a call: `given`, with the defaults of what is left out. A step that declares no parameters takes any.
   */
  fill(stepIndex: number, given: ParameterValues): { values: ParameterValues; faults: ParameterFault[] } {
    const parameters = this.#steps.get(stepIndex);
    if (!parameters) return { values: given, faults: [] };
    const values: Record<string, unknown> = { ...given };
    const keys = Object.keys(given);
    const faults = keys.every((key) => parameters.has(key))
      ? []
      : this.#unknown(parameters, given, stepIndex);
    for (const [key, { parameter, rule }] of parameters) {
      const value = Object.hasOwn(given, key) ? given[key] : undefined;
      if (value === undefined) {
        if (parameter.default !== undefined && parameter.default !== null) values[key] = parameter.default;
        else if (parameter.required === true) faults.push({ key, message: 'must be given', number: '1006' });
        continue;
      }
      const fault = rule?.(value);
      if (fault) faults.push({ key, ...fault });
    }
    return { values, faults };
  }

  /** Faults of the values that are regions, once the size of the picture is known. */
  regionFaults(stepIndex: number, values: ParameterValues, picture: PictureSize): ParameterFault[] {
    const faults: ParameterFault[] = [];
    for (const key of this.#regions.get(stepIndex) ?? []) {
      const value = Object.hasOwn(values, key) ? values[key] : undefined;
      const fault =
        value === undefined ? undefined : this.#steps.get(stepIndex)?.get(key)?.rule?.(value, picture);
      if (fault) faults.push({ key, ...fault });
    }
    return faults;
  }

  /** Faults of values that are kept for a product id: each must be right for one step that has it. */
  faultsOf(values: ParameterValues): ParameterFault[] {
    return Object.entries(values).flatMap(([key, value]) => {
      const rules = [...this.#steps.values()].flatMap((parameters) => parameters.get(key) ?? []);
      if (rules.length === 0) return [unknownFault(key, this.keys, '')];
      const faults = rules.map(({ rule }) => rule?.(value));
      const [fault] = faults;
      return fault && faults.every(Boolean) ? [{ key, ...fault }] : [];
    });
  }

  #unknown(
    parameters: ReadonlyMap<string, Ruled>,
    given: ParameterValues,
    stepIndex: number,
  ): ParameterFault[] {
    return Object.keys(given)
      .filter((key) => !parameters.has(key))
      .map((key) => unknownFault(key, [...parameters.keys()], ` of step ${stepIndex}`));
  }
}

function unknownFault(key: string, known: readonly string[], where: string): ParameterFault {
  const near = nearest(key, known);
  const list = known.length > 0 ? `Known are ${known.slice(0, 20).join(', ')}` : 'It takes none';
  return {
    key,
    message: `is no parameter${where}. ${near === undefined ? '' : `Did you mean ${near}? `}${list}`,
    number: '1006',
  };
}

/** Most faults that a message lists; `details.issues` has all. */
const SHOWN_FAULTS = 5;

/** The error of parameters that cannot be handed to a version: all faults at once. */
export function parametersError(
  faults: readonly ParameterFault[],
  { name, version }: VersionRef,
  root: string,
): RunnerError {
  const issues: FieldIssue[] = faults.map(({ key, message, bound }) => ({
    ...{ path: `${root}.${key}`, message },
    ...(bound !== undefined && { bound }),
  }));
  const shown = issues.slice(0, SHOWN_FAULTS).map(({ path, message }) => `${path} ${message}`);
  const more = issues.length > shown.length ? `; and ${issues.length - shown.length} more` : '';
  return new RunnerError(
    'invalid_params',
    `The parameters do not fit ${name} ${version}: ${shown.join('; ')}${more}. ` +
      `Its steps and their parameters: registry.parameters(name, version), or procvision-runner types ${name} ${version}`,
    {
      errorCode: faults.every(({ number }) => number === '1007') ? '1007' : '1006',
      details: { path: issues[0]?.path, name, version, issues },
    },
  );
}
