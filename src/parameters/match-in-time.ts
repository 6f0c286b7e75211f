import vm from 'node:vm';

/** A pattern that needs longer for one value counts as a pattern that never ends. */
const LONGEST_MATCH_MS = 50;

/** Made at the first match. One context serves all: a new one costs a millisecond. */
let matcher: { script: vm.Script; context: vm.Context } | undefined;

/**
 * Whether a text matches a pattern that somebody else wrote. Some patterns take exponential time (`(a+)+b`): the match runs
 * where V8 can break it off, since a host that waits for it would serve nobody.
 *
 * @returns undefined when it took longer than 50 ms
 */
export function matchInTime(pattern: RegExp, text: string): boolean | undefined {
  matcher ??= {
    script: new vm.Script('pattern.test(text)'),
    context: vm.createContext({}),
  };
  const { script, context } = matcher;
  Object.assign(context, { pattern, text });
  try {
    return script.runInContext(context, { timeout: LONGEST_MATCH_MS }) as boolean;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  }
}
