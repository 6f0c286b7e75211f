import vm from 'node:vm';

/** A pattern that takes more CPU time for one value counts as a pattern that never ends. */
const LONGEST_MATCH_MS = 50;
/** The system counts CPU time in steps, and the watchdog takes some. */
const MOST_OF_IT_MS = 40;
/** Attempts whose time went by without this process running. */
const MOST_ATTEMPTS = 20;
/** Below, two repetitions in one another take some ten thousand steps. */
const SHORT_CHARACTERS = 256;
const MOST_REPETITIONS = 2;

/** Made at the first match. One context serves all: a new one costs a millisecond. */
let matcher: { script: vm.Script; context: vm.Context } | undefined;

/**
 * Whether a text matches a pattern that somebody else wrote. Some patterns take exponential time (`(a+)+b`): the match runs
 * where V8 can break it off, since a host that waits for it would serve nobody. The limit there is of wall time, which also goes by
 * while the machine runs something else: a match that was broken off before it had its CPU time is begun again.
 *
 * @returns undefined when it took longer than 50 ms
 */
export function matchInTime(pattern: RegExp, text: string): boolean | undefined {
  if (text.length <= SHORT_CHARACTERS && isSimple(pattern.source)) return pattern.test(text);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const before = process.cpuUsage();
    const isMatch = match(pattern, text);
    if (isMatch !== undefined) return isMatch;
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1_000 >= MOST_OF_IT_MS) return undefined;
  }
  return undefined;
}

/** Whether a pattern has nothing that can take long on a short text: no group beside the one around it, few repetitions. */
function isSimple(source: string): boolean {
  const inner = /^\^\(\?:(.*)\)\$$/s.exec(source)?.[1] ?? source;
  // As JavaScript reads classes: `[^]` is one by itself.
  const bare = inner.replace(/\\[\s\S]/g, '_').replace(/\[[^\]]*\]/g, '_');
  return !/[()|]/.test(bare) && (bare.match(/[*+?{]/g) ?? []).length <= MOST_REPETITIONS;
}

function match(pattern: RegExp, text: string): boolean | undefined {
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
