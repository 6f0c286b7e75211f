import { abortError, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { CallOptions, InspectionRequest, InspectionResult } from '../types.js';
import { CallGroup } from './call-group.js';
import type { CallService } from './call-service.js';
import { checkMany } from './inspection-request.js';

/** Most pictures in one message: each has a descriptor open at the worker, and the host's memory for frames is no larger. */
const MOST_TOGETHER = 32;
/** Calls that each worker has ahead of it where it takes them one by one. */
const AHEAD = 2;

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
    const { workers, takesMany } = RunnerError.is(standing) ? { workers: 1, takesMany: false } : standing;
    const isTogether = takesMany && requests.length > 1 && requests.every((one) => belongs(one, first));
    const results: InspectionResult[] = [];
    const put = async (at: number, answer: Promise<InspectionResult>) => {
      results[at] = await answer;
    };
    const alone = (at: number) => put(at, this.#calls.answer(requests[at], o, { failure }));
    const together = async (from: number) => {
      const group = new CallGroup();
      const answers: Promise<void>[] = [];
      const end = Math.min(from + MOST_TOGETHER, requests.length);
      for (let at = from; at < end; at++) {
        const place = group.place();
        answers.push(put(at, this.#calls.answer(requests[at], o, { place })).finally(place.arrive));
        await place.arrived;
      }
      group.seal();
      await all(answers);
    };
    await inTurns(requests.length, isTogether ? MOST_TOGETHER : 1, {
      width: isTogether ? workers : AHEAD * workers,
      work: isTogether ? together : alone,
    });
    const isAborted = results.some(({ error }) => error?.code === 'aborted');
    if (signal?.aborted === true && isAborted) throw abortError(signal, 'executeMany');
    return results;
  }
}

/** Whether two can go in one message: one worker has the values of their session, and their time ends together. */
function belongs(one: InspectionRequest, first: InspectionRequest): boolean {
  return one.session?.id === first.session?.id && one.timeoutMs === first.timeoutMs;
}

/** Does the work for every `step`-th number below `count`, in order, at most `width` side by side. */
async function inTurns(
  count: number,
  step: number,
  { width, work }: { width: number; work: (from: number) => Promise<void> },
): Promise<void> {
  let next = 0;
  const go = async () => {
    while (next < count) {
      const from = next;
      next += step;
      await work(from);
    }
  };
  await all(Array.from({ length: Math.max(1, width) }, go));
}

/** Resolves when all have ended; rejects with the first failure then. */
async function all(ends: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(ends);
  await Promise.all(ends);
}
