import { isRecord } from '../../arguments.js';
import { RunnerError, type RunnerErrorCode } from '../../errors.js';
import type { SentImage } from '../../frames/types.js';
import type { RegistryEntry } from '../../registry/types.js';
import { isBesideLine } from '../calls/request-mark.js';
import type { CallEnd, CallObserver, ObservedCall, StartedCall } from '../calls/call-observer.js';
import type { SupervisorEvents } from '../events.js';
import type { KeptImage, ResultFacts, ResultOutbox } from './result-outbox.js';

/** Verdicts on their way into the outbox; one more is lost, so that a disk that hangs does not fill the memory. */
const MOST_PENDING = 2_000;
/** How often losses are reported, at the most. */
const REPORT_MS = 60_000;
/** Failures of calls that inspected nothing: the caller's own mistake, or his wish. */
const NOTHING_INSPECTED: ReadonlySet<RunnerErrorCode> = new Set(['invalid_params', 'aborted', 'closed']);

/** What is known of a call at its end. */
interface EndedCall {
  phase: StartedCall['phase'];
  productId: string | undefined;
  request: StartedCall['request'];
  name: string | undefined;
  version: string | undefined;
}

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
  /** Calls that are under way and not kept yet. */
  readonly #open = new Map<string, { attempts: ObservedCall[]; kept: Promise<void> }>();
  #lost = 0;
  #reported: RunnerError | undefined;
  /** When a loss was reported last: on the clock of the process. */
  #reportedAt = -Infinity;

  constructor(outbox: ResultOutbox, context: FeedContext) {
    this.#outbox = outbox;
    this.#context = context;
  }

  start(call: StartedCall): undefined {
    const { requestId, productId, request, phase } = call;
    if (isBesideLine(request)) return; // the platform would take it for a product
    const attempts: ObservedCall[] = [];
    const kept = call.ended.then((end) => {
      this.#open.delete(requestId);
      const { name, version } = end.result ?? end;
      const last = attempts.at(-1);
      // A call that failed at a canary has an attempt at each version: that of the version that answered counts.
      const attempt = attempts.findLast((one) => one.name === name && one.version === version) ?? last;
      const asked = attempt?.request ?? request;
      this.#keep({ phase, productId, request: asked, name, version }, end, attempt?.images.image);
    });
    this.#open.set(requestId, { attempts, kept });
  }

  /** The frame stays until the call has ended and is kept: the outbox copies the pixels, if it wants them, at once. */
  offer(call: ObservedCall): Promise<unknown> | undefined {
    const open = this.#open.get(call.requestId);
    open?.attempts.push(call);
    return open?.kept;
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

  #keep(call: EndedCall, end: CallEnd, image?: SentImage): void {
    if (!isVerdict(call, end)) return;
    const facts = this.#factsOf(call);
    if (!facts) return;
    // No await before record(): the order of the verdicts is that of these calls.
    // Nor one after it: while a disk hangs, no pixels are held here.
    this.#track(async () => {
      const taken = image && imageOf(image);
      return this.#outbox.record(end.result ?? end.error, { ...facts, ...(taken && { image: taken }) });
    });
  }

  #factsOf({ productId, request, name = '', version = '' }: EndedCall): ResultFacts | undefined {
    const { stepIndex, session, userParams, traceparent } = request ?? {};
    if (productId === undefined || productId === '') return undefined;
    if (stepIndex === undefined || !Number.isInteger(stepIndex)) return undefined;
    const entry = this.#context.entryOf(name, version);
    const traceId = typeof traceparent === 'string' ? traceparent.split('-')[1] : undefined;
    return {
      productId,
      stepIndex,
      timestampMs: Date.now(),
      ...(session?.id !== undefined && session.id !== '' && { sessionId: session.id }),
      ...(isRecord(userParams) && { parameters: userParams }),
      ...(traceId !== undefined && traceId !== '' && { traceId }),
      ...(entry?.sha256 !== undefined && { packageDigest: entry.sha256 }),
      ...(entry?.inventory_sha256 !== undefined && { environmentRoot: entry.inventory_sha256 }),
      ...(version !== '' && { version }),
    };
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
function isVerdict({ phase }: EndedCall, { result, error }: CallEnd): boolean {
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

/** The pixels where they are: nothing is copied here. Undefined for a picture of 16 bits, or that the package decodes itself. */
function imageOf({ meta, isLost, pixels }: SentImage): KeptImage | undefined {
  const { width, height, color_space: colorSpace, camera_id: cameraId, dtype } = meta;
  const data = isLost || dtype !== undefined ? undefined : pixels();
  if (!data) return undefined;
  const channels = data.length / (width * height);
  if (channels !== 1 && channels !== 3) return undefined;
  return { ...{ data, width, height, channels, cameraId }, ...(colorSpace && { colorSpace }) };
}
