import vm from 'node:vm';
import { choicesOf } from './pattern-choices.js';

/** A pattern that takes more CPU time for one value counts as a pattern that never ends. */
const LONGEST_MATCH_MS = 50;
/** The system counts CPU time in steps, and the watchdog takes some. */
const MOST_OF_IT_MS = 40;
/** Attempts whose time went by without this process running. */
const MOST_ATTEMPTS = 20;
/** Through so short a text two repetitions, one after the other, have 66,000 ways: a millisecond or two. */
const SHORT_CHARACTERS = 256;
const MOST_CHOICES = 150_000;

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
  if (text.length <= SHORT_CHARACTERS && isSimple(pattern)) return pattern.test(text);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const before = process.cpuUsage();
    const isMatch = match(pattern, text);
    if (isMatch !== undefined) return isMatch;
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1_000 >= MOST_OF_IT_MS) return undefined;
  }
  return undefined;
}

const simple = new WeakMap<RegExp, boolean>();

/** Whether a pattern cannot take long on a short text: to match where V8 can break it off costs a tenth of a millisecond. */
function isSimple(pattern: RegExp): boolean {
  let answer = simple.get(pattern);
  if (answer === undefined) {
    answer = choicesOf(pattern.source, SHORT_CHARACTERS) <= MOST_CHOICES;
    simple.set(pattern, answer);
  }
  return answer;
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
