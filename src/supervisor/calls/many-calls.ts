import { abortError, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { CallOptions, InspectionRequest, InspectionResult } from '../types.js';
import { CallGroup } from './call-group.js';
import type { CallService } from './call-service.js';
import { checkMany } from './inspection-request.js';
import type { Standing } from './inspection.js';

/** Most pictures in one message: each has a descriptor open at the worker, and the host's memory for frames is no larger. */
const MOST_TOGETHER = 32;
/** Calls that each worker has ahead of it where it takes them one by one. */
const AHEAD = 2;

/** Nothing stands that calls could wait for. */
const UNKNOWN: Standing = { workers: 1, takesMany: false, mostWaiting: 0 };

/** Several pictures of one product id and step; each is answered or fails by itself. */
export class ManyCalls {
  readonly #calls: CallService;

  constructor(calls: CallService) {
    this.#calls = calls;
  }

  /** @throws RunnerError `invalid_params` for requests that do not belong together, `aborted`, `closed` */
  async run(requests: readonly InspectionRequest[], o: CallOptions): Promise<InspectionResult[]> {
    checkMany(requests);
    const { signal } = o;
    throwIfAborted(signal, 'executeMany');
    const [first] = requests;
    if (!first) return [];
    const standing = await this.#calls.standing(first, signal).catch((error: unknown) => {
      if (RunnerError.is(error) && signal?.aborted !== true) return error;
      throw error;
    });
    const failure = RunnerError.is(standing) ? standing : undefined;
    const { workers, takesMany, mostWaiting } = RunnerError.is(standing) ? UNKNOWN : standing;
    const isTogether = takesMany && requests.length > 1 && requests.every((one) => belongs(one, first));
    const results: InspectionResult[] = [];
    const put = async (at: number, answer: Promise<InspectionResult>) => {
      results[at] = await answer;
    };
    let next = 0;
    const alone = (): Promise<void> => {
      const at = next++;
      return put(at, this.#calls.answer(requests[at], o, { failure }));
    };
    const together = async () => {
      const group = new CallGroup(Math.min(MOST_TOGETHER, Math.ceil((requests.length - next) / workers)));
      const answers: Promise<void>[] = [];
      while (next < requests.length && answers.length < MOST_TOGETHER && !group.isSealed) {
        const at = next++;
        const place = group.place();
        const answer = put(at, this.#calls.answer(requests[at], o, { place })).finally(place.arrive);
        answer.catch(() => undefined); // it is looked at when the message has gone
        answers.push(answer);
        await place.arrived;
      }
      group.seal();
      await all(answers);
    };
    const work = isTogether ? together : alone;
    // No more at once than the line of the workers has room for.
    const width = isTogether ? workers : Math.max(1, Math.min(AHEAD * workers, workers + mostWaiting));
    const go = async () => {
      while (next < requests.length) await work();
    };
    await all(Array.from({ length: width }, go));
    const isAborted = results.some(({ error }) => error?.code === 'aborted');
    if (signal?.aborted === true && isAborted) throw abortError(signal, 'executeMany');
    return results;
  }
}

/** Whether two can go in one message: one worker has the values of their session, and their time ends together. */
function belongs(one: InspectionRequest, first: InspectionRequest): boolean {
  return one.session?.id === first.session?.id && one.timeoutMs === first.timeoutMs;
}

/** Resolves when all have ended; rejects with the first failure then. */
async function all(ends: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(ends);
  await Promise.all(ends);
}
