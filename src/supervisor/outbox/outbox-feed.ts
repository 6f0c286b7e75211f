import { isRecord } from '../../arguments.js';
import { RunnerError, type RunnerErrorCode } from '../../errors.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { CallEnd, CallObserver, ObservedCall, StartedCall } from '../calls/call-observer.js';
import type { SupervisorEvents } from '../events.js';
import type { KeptPicture, ResultFacts, ResultOutbox } from './result-outbox.js';

/** Verdicts on their way into the outbox; one more is lost, so that a disk that hangs does not fill the memory. */
const MOST_PENDING = 2_000;
/** How often losses are reported, at the most. */
const REPORT_MS = 60_000;
/** Frames that wait for their verdict or their encoder. */
const MOST_FRAMES = 8;
/** Failures of calls that inspected nothing: the caller's own mistake, or his wish. */
const NOTHING_INSPECTED: ReadonlySet<RunnerErrorCode> = new Set(['invalid_params', 'aborted', 'closed']);

/** What the feed asks of the supervisor. */
export interface FeedContext {
  emit: (name: 'error', event: SupervisorEvents['error'][0]) => unknown;
  /** The version as it is deployed, where it runs. */
  entryOf: (name: string, version: string) => RegistryEntry | undefined;
}

/**
 * Brings what a supervisor saw into an outbox, away from the calls: each verdict in the order in which it was given, each failure, alarms.
 * What the outbox does not take is counted here, and changes nothing else.
 */
export class OutboxFeed implements CallObserver {
  readonly #outbox: ResultOutbox;
  readonly #context: FeedContext;
  readonly #pending = new Set<Promise<unknown>>();
  /** Pictures of calls that are under way, by their request. */
  readonly #pictures = new Map<string, Promise<readonly KeptPicture[]>>();
  /** The verdict before: the next one goes in after it. */
  #before: Promise<unknown> = Promise.resolve();
  #lost = 0;
  #reported: RunnerError | undefined;
  /** When a loss was reported last: on the clock of the process. */
  #reportedAt = -Infinity;

  constructor(outbox: ResultOutbox, context: FeedContext) {
    this.#outbox = outbox;
    this.#context = context;
  }

  start(call: StartedCall): undefined {
    void call.ended.then((end) => {
      const timestampMs = Date.now();
      const pictures = this.#pictures.get(call.requestId);
      this.#pictures.delete(call.requestId);
      if (!isVerdict(call, end)) return;
      const facts = this.#factsOf(call, end, timestampMs);
      if (facts) this.#keepInOrder(end, facts, pictures);
    });
  }

  offer({ requestId, images, isShort, ended }: ObservedCall): Promise<unknown> | undefined {
    if (!this.#outbox.picturesOf || isShort || this.#pictures.size >= MOST_FRAMES) return undefined;
    const made = ended.then(async ({ result, error }) => {
      const inspected = result ?? error;
      return (await this.#outbox.picturesOf?.(images.image, inspected)) ?? [];
    });
    const pictures = made.catch((error: unknown) => {
      this.#lose(error);
      return [];
    });
    this.#pictures.set(requestId, pictures);
    return pictures;
  }

  /** Alarms and signs of health among the events. */
  watch<K extends keyof SupervisorEvents>(name: K, event: SupervisorEvents[K][0]): void {
    // What the outbox did not take is not given to it.
    if (this.#reported && (event as { error?: unknown }).error === this.#reported) return;
    const said = noteOf(name, event);
    if (said) this.#track(async () => this.#outbox.note(said.kind, said.data));
  }

  /** Resolves when all that was seen is in the outbox, or was not taken. */
  async close(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #factsOf(
    { productId, request }: StartedCall,
    { result, name = '', version }: Awaited<StartedCall['ended']>,
    timestampMs: number,
  ): ResultFacts | undefined {
    const { stepIndex, session, userParams, traceparent } = request ?? {};
    if (productId === undefined || productId === '') return undefined;
    if (stepIndex === undefined || !Number.isInteger(stepIndex)) return undefined;
    const entry = this.#context.entryOf(result?.name ?? name, result?.version ?? version ?? '');
    const traceId = typeof traceparent === 'string' ? traceparent.split('-')[1] : undefined;
    return {
      productId,
      stepIndex,
      timestampMs,
      ...(session?.id !== undefined && session.id !== '' && { sessionId: session.id }),
      ...(isRecord(userParams) && { parameters: userParams }),
      ...(traceId !== undefined && traceId !== '' && { traceId }),
      ...(entry?.sha256 !== undefined && { packageDigest: entry.sha256 }),
      ...(entry?.inventory_sha256 !== undefined && { environmentRoot: entry.inventory_sha256 }),
      ...(version !== undefined && version !== '' && { version }),
    };
  }

  /** A verdict waits for the pictures of those before it, not for their disk: records are committed in groups. */
  #keepInOrder(end: CallEnd, facts: ResultFacts, made: Promise<readonly KeptPicture[]> | undefined): void {
    const { result, error } = end;
    this.#track(async () => {
      const before = this.#before;
      const ready = (async () => {
        await before;
        return made;
      })();
      this.#before = ready;
      const pictures = (await ready) ?? [];
      await this.#outbox.record(result ?? error, { ...facts, ...(pictures.length > 0 && { pictures }) });
    });
  }

  #track(work: () => Promise<unknown>): void {
    if (this.#pending.size >= MOST_PENDING) {
      this.#lose(new Error(`the outbox has ${MOST_PENDING} verdicts waiting`));
      return;
    }
    const done = work()
      .catch((error: unknown) => {
        this.#lose(error);
      })
      .then(() => {
        this.#pending.delete(done);
      });
    this.#pending.add(done);
  }

  #lose(error: unknown): void {
    this.#lost++;
    if (performance.now() < this.#reportedAt + REPORT_MS) return;
    this.#reportedAt = performance.now();
    const count = this.#lost;
    this.#lost = 0;
    const message = `The outbox did not take ${count} verdicts or events: ${(error as Error).message}`;
    const reported = new RunnerError('store_failed', message, { cause: error });
    this.#reported = reported;
    this.#context.emit('error', { error: reported });
  }
}

/** `pre_execute` that went well is no verdict; what it answers with ERROR is, because no `execute` follows. */
function isVerdict({ phase }: StartedCall, { result, error }: CallEnd): boolean {
  if (error) return !NOTHING_INSPECTED.has(error.code);
  return phase === 'execute' || result.status === 'ERROR';
}

function noteOf<K extends keyof SupervisorEvents>(
  name: K,
  event: SupervisorEvents[K][0],
): { kind: 'health' | 'alarm'; data: Record<string, unknown> } | undefined {
  switch (name) {
    case 'circuitOpen':
    case 'heartbeatLost':
    case 'error': {
      const { error, ...about } = event as SupervisorEvents['circuitOpen' | 'heartbeatLost' | 'error'][0];
      return { kind: 'alarm', data: { event: name, ...about, code: error.code, message: error.message } };
    }
    case 'exit': {
      const { error, name: packageName, version, worker } = event as SupervisorEvents['exit'][0];
      if (!error) return undefined;
      const about = { event: name, name: packageName, version, worker };
      return { kind: 'alarm', data: { ...about, code: error.code, message: error.message } };
    }
    case 'ready':
    case 'circuitClosed':
    case 'switched':
    case 'switchedBack':
    case 'accepted':
      return { kind: 'health', data: { event: name, ...plain(event) } };
    default:
      return undefined;
  }
}

/** What JSON can say of an event. */
function plain(event: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(event)) as Record<string, unknown>;
}
