import { RunnerError } from '../errors.js';
import { mayBeWider } from '../frames/wide-input.js';
import { bothIds, givenProductIds } from '../product-ids.js';
import { showAs } from '../readable.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { CallObserver, ObservedCall } from '../supervisor/calls/call-observer.js';
import { isAfterPre } from '../supervisor/calls/request-mark.js';
import type { RetainedVersion } from '../supervisor/observers.js';
import { doors } from '../supervisor/options.js';
import type { ComparisonReport, Shadow, ShadowEvent, ShadowOptions } from '../supervisor/recording-types.js';
import type { WorkerReply } from '../worker/types.js';
import { checkNumbers } from './bounds.js';
import { compareAnswers } from './comparison.js';
import { ComparisonLog } from './comparison-report.js';

/**
 * Tries a candidate version on calls as they run, without a part in them: it reads the same frames, is called only
 * when it has time, and its answers are compared, emitted as `shadow` events of the supervisor and summed up in the report.
 *
 * @throws RunnerError `invalid_params`, `not_found`, `start_failed`, `timeout`, `aborted`, `closed`
 */
export async function shadow(supervisor: AlgorithmSupervisor, o: ShadowOptions): Promise<Shadow> {
  doors().shadow.check(o);
  checkNumbers(o);
  const productIds = givenProductIds('supervisor.shadow({ productIds })', o);
  const { name, version, workers, signal } = o;
  const candidate = await supervisor.retain(name, version, { workers, signal });
  const tell = (event: ShadowEvent) => void supervisor.emit('shadow', event);
  const observer = new ShadowObserver(candidate, o, { productIds, tell });
  let stop: () => Promise<void>;
  try {
    stop = await supervisor.observe(observer, { signal: o.signal });
  } catch (error) {
    await candidate[Symbol.asyncDispose]();
    throw error;
  }
  const stopped = async () => {
    await stop();
    return observer.report();
  };
  const shadow: Shadow = { report: () => observer.report(), stop: stopped, [Symbol.asyncDispose]: stop };
  showAs(shadow, 'Shadow', () => ({ report: observer.report() }));
  return shadow;
}

/** Of a session, by its last `pre_execute`: left out by its share, skipped, or what the candidate answers. */
type Preparation = 'left out' | 'skipped' | Promise<WorkerReply>;

/** Sessions that are remembered; the ones used longest ago are forgotten first. */
const MOST_SESSIONS = 1_000;

class PreparedSessions {
  readonly #sessions = new Map<string, Preparation>();

  get({ request }: ObservedCall): Preparation | undefined {
    return this.#sessions.get(request.session?.id ?? '');
  }

  /** Does nothing for an `execute`: others of its session need no more than their preparation. */
  set({ phase, request }: ObservedCall, preparation: Preparation): void {
    const id = request.session?.id;
    if (id === undefined || phase === 'execute') return;
    this.#sessions.delete(id); // to be the last in order
    this.#sessions.set(id, preparation);
    if (this.#sessions.size <= MOST_SESSIONS) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }
}

/**
 * Gives a candidate a copy of calls as they run: the very frames, which stay until it has read them, too. What it
 * answers is compared and goes nowhere else; when it has no time, the call is left out.
 */
class ShadowObserver implements CallObserver {
  readonly #candidate: RetainedVersion;
  readonly #options: ShadowOptions;
  /** Undefined for every call that was routed by one. */
  readonly #productIds: readonly string[] | undefined;
  readonly #tell: (event: ShadowEvent) => void;
  readonly #log: ComparisonLog;
  readonly #pending = new Set<Promise<void>>();
  readonly #sessions = new PreparedSessions();
  #credit = 0;

  constructor(
    candidate: RetainedVersion,
    options: ShadowOptions,
    o: { productIds: readonly string[] | undefined; tell: (event: ShadowEvent) => void },
  ) {
    this.#candidate = candidate;
    this.#options = options;
    this.#productIds = o.productIds;
    this.#tell = o.tell;
    this.#log = new ComparisonLog('the active version', `${candidate.entry.name} ${candidate.entry.version}`);
  }

  offer(call: ObservedCall): Promise<unknown> | undefined {
    const { share = 1, maxPending = 4 } = this.#options;
    const { productId } = call.request;
    const only = this.#productIds;
    const { entry } = this.#candidate;
    if (productId === undefined || call.request.target !== undefined) return undefined;
    if (only && !only.includes(productId)) return undefined;
    if (call.name === entry.name && call.version === entry.version) return undefined; // it serves by now
    if (call.phase === 'pre' && entry.generation === 'execute-only') return undefined;
    // Without a guide it would compare the image with itself, which the version that serves does not do.
    const hasGuide = call.images.guideImage !== undefined || call.request.guideImage === 'same';
    if ((entry.generation === 'execute-only' && !hasGuide) || !this.#takes(call)) {
      this.#sessions.set(call, 'skipped');
      this.#log.skipped();
      return undefined;
    }
    const isPrepared = this.#isPrepared(call);
    if (isPrepared === 'left out') return undefined;
    if (isPrepared === undefined) {
      this.#credit += share;
      if (this.#credit < 1) {
        this.#sessions.set(call, 'left out');
        return undefined;
      }
      this.#credit -= 1;
    }
    const isBusy = this.#pending.size >= maxPending || !this.#candidate.isIdle || call.isShort;
    if (isBusy || isPrepared === 'skipped') {
      this.#sessions.set(call, 'skipped');
      this.#log.skipped();
      return undefined;
    }
    const before = typeof isPrepared === 'object' ? isPrepared : undefined;
    const { reply, read } = this.#candidate.answer(call, before);
    this.#sessions.set(call, reply);
    const pending = Promise.all([this.#compare(call, productId, reply), read]).then(() => {
      this.#pending.delete(pending);
    });
    this.#pending.add(pending);
    return pending;
  }

  /**
   * What became of the preparation of an `execute` at the candidate; undefined where none was seen that it goes with. By itself
   * the candidate would execute what it has not prepared, and the report would say that it does not agree.
   */
  #isPrepared(call: ObservedCall): Preparation | undefined {
    if (call.phase === 'pre' || this.#candidate.entry.generation === 'execute-only') return undefined;
    return this.#sessions.get(call) ?? (isAfterPre(call.request) ? 'skipped' : undefined);
  }

  /** Whether it would be sent the very frames of the call: values of 16 bits are for versions that take them, and for those alone. */
  #takes({ images, request }: ObservedCall): boolean {
    const wide = [images.image, images.guideImage].flatMap((image) => image?.wideFormat ?? []);
    const taken = this.#candidate.imageFormats;
    // Of another package than the one whose Pillow is to decode it nothing is known.
    if ([images.image, images.guideImage].some((image) => image?.kind === 'bin')) return false;
    if (mayBeWider(images.image, request.image, taken)) return false;
    if (mayBeWider(images.guideImage, request.guideImage, taken)) return false;
    return wide.every((format) => taken.includes(format) || taken.includes('Mono16'));
  }

  report(): ComparisonReport {
    return this.#log.report();
  }

  /** Resolves when nothing is pending, and the candidate was released. */
  async close(): Promise<void> {
    await Promise.all(this.#pending);
    await this.#candidate[Symbol.asyncDispose]();
  }

  async #compare(
    call: ObservedCall,
    productId: string,
    answer: ReturnType<RetainedVersion['answer']>['reply'],
  ): Promise<void> {
    try {
      const reply = await answer;
      const { result } = await call.ended;
      if (!result) {
        this.#log.skipped();
        return;
      }
      const comparison = compareAnswers(result, reply, this.#options.minIou);
      this.#log.compared(call.requestId, comparison, result.timing.callMs, reply.callMs);
      const { name, version } = this.#candidate.entry;
      this.#tell({
        ...{ name, version, ...bothIds(productId), requestId: call.requestId, comparison },
        activeMs: result.timing.callMs,
        candidateMs: reply.callMs,
      });
    } catch (error) {
      const failure = RunnerError.is(error)
        ? error
        : new RunnerError('unknown', String(error), { cause: error });
      this.#log.failed(call.requestId, failure);
    }
  }
}
