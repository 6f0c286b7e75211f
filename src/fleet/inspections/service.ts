import type { Msg, Subscription } from '@nats-io/transport-node';
import { settleOrAbort } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { withoutPaths } from '../../redact-paths.js';
import { redactedResult } from '../../runner/redacted-result.js';
import type { Runner } from '../../runner/runner.js';
import { isTraceparent } from '../../supervisor/calls/traceparent.js';
import type { InspectionResult } from '../../supervisor/types.js';
import { lineOf } from '../nats/connection.js';
import type { Line, Session } from '../nats/line.js';
import { INSPECT_QUEUE, inspectSubject } from '../nats/permissions.js';
import type { FleetConnection } from '../ports.js';
import { describeService, discoverySubjects, EndpointFigures } from './discovery.js';
import { checkPicture, fetchPicture } from './fetch-picture.js';
import { doors, type ServeInspectionsOptions } from './options.js';
import { CALL_HEADER, ERROR_HEADERS, readCall, type RemoteCall } from './wire.js';

const REFRESH_MS = 5_000;
const MEGABYTE = 2 ** 20;

/** The inspections of a station over the fleet's server. */
export interface InspectionService {
  /** Product ids that are answered now. */
  readonly productIds: readonly string[];
  /** Looks at once which product ids are served; it is done every few seconds too. */
  refresh(): Promise<void>;
  /** Takes no more calls, answers those that came, and ends. */
  close(): Promise<void>;
}

/**
 * Answers inspections of the product ids that a runner serves, as a member of a queue group: of all stations that serve a product
 * id, one gets each call.
 *
 * @throws RunnerError `invalid_params`
 */
export async function serveInspections(
  connection: FleetConnection,
  options: ServeInspectionsOptions,
): Promise<InspectionService> {
  doors().serve.check(options);
  const service = new Service(lineOf(connection, 'serveInspections()'), options);
  await service.refresh();
  return service;
}

class Service implements InspectionService {
  readonly #line: Line;
  readonly #options: ServeInspectionsOptions;
  readonly #runner: Runner;
  readonly #id: string;
  readonly #startedAt = new Date().toISOString();
  readonly #endpoints = new Map<string, { subject: string; figures: EndpointFigures }>();
  readonly #running = new Set<Promise<void>>();
  /** Of the present session. */
  #subscriptions = new Map<string, Subscription>();
  #discovery: Subscription[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #forget: () => void;
  #closed: Promise<void> | undefined;
  /** Looks at what is served: how many have begun, and the last whose answer counted. */
  #looks = { begun: 0, counted: 0 };

  constructor(line: Line, options: ServeInspectionsOptions) {
    this.#line = line;
    this.#options = options;
    this.#runner = options.runner;
    this.#id = line.peers.transport.nuid.next();
    this.#forget = line.onSession((session) => {
      this.#open(session);
    });
    this.#timer = setInterval(() => {
      // A look that fails leaves what is served as it is; the next one comes soon.
      this.refresh().catch(() => undefined);
    }, REFRESH_MS).unref();
  }

  get productIds(): readonly string[] {
    return [...this.#endpoints.keys()];
  }

  async refresh(): Promise<void> {
    const look = ++this.#looks.begun;
    const served = new Set(Object.keys(await this.#runner.registry.active()));
    // A look that was overtaken by a later one is older than what is answered now.
    if (this.#closed || look < this.#looks.counted) return;
    this.#looks.counted = look;
    for (const productId of this.#endpoints.keys()) {
      if (served.has(productId)) continue;
      this.#endpoints.delete(productId);
      void this.#subscriptions.get(productId)?.drain();
      this.#subscriptions.delete(productId);
    }
    for (const productId of served) {
      if (this.#endpoints.has(productId)) continue;
      const subject = inspectSubject(this.#options.plant, productId);
      this.#endpoints.set(productId, { subject, figures: new EndpointFigures() });
      if (this.#line.session) this.#subscribe(this.#line.session, productId);
    }
    // The server knows it when it answers this.
    const { session } = this.#line;
    if (session) await settleOrAbort(session.lost, session.nc.flush()).catch(() => undefined);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#forget();
    const { session } = this.#line;
    // What the server has sent already is still taken; then it sends to others.
    if (session) await Promise.allSettled([...this.#subscriptions.values()].map((sub) => sub.drain()));
    for (const sub of this.#discovery) if (!sub.isClosed()) sub.unsubscribe();
    await Promise.allSettled(this.#running);
    await session?.nc.flush().catch(() => undefined);
  }

  #open(session: Session): void {
    for (const sub of [...this.#subscriptions.values(), ...this.#discovery]) {
      if (!sub.isClosed()) sub.unsubscribe();
    }
    this.#subscriptions = new Map();
    for (const productId of this.#endpoints.keys()) this.#subscribe(session, productId);
    this.#discovery = discoverySubjects(this.#id).map(({ subject, verb }) =>
      session.nc.subscribe(subject, {
        callback: (error, message) => {
          if (error || !isInbox(message.reply)) return;
          const { station, plant } = this.#options;
          const about = { id: this.#id, station, plant, startedAt: this.#startedAt, queue: INSPECT_QUEUE };
          message.respond(JSON.stringify(describeService(verb, { ...about, endpoints: this.#endpoints })));
        },
      }),
    );
  }

  #subscribe(session: Session, productId: string): void {
    const { subject } = this.#endpoints.get(productId) ?? { subject: '' };
    const sub = session.nc.subscribe(subject, {
      queue: INSPECT_QUEUE,
      callback: (error, message) => {
        // A reply subject that is no inbox could be a key of the bucket: the answer would be written there.
        if (error || !isInbox(message.reply)) return;
        const running = this.#answer(session, productId, message).finally(() => {
          this.#running.delete(running);
        });
        this.#running.add(running);
      },
    });
    this.#subscriptions.set(productId, sub);
  }

  /** Answers once, whatever happens. */
  async #answer(session: Session, productId: string, message: Msg): Promise<void> {
    const startedAt = performance.now();
    const { station } = this.#options;
    const { transport } = this.#line.peers;
    let failure: RunnerError | undefined;
    let body: string;
    try {
      const result = await this.#inspect(productId, message);
      body = JSON.stringify({
        v: 1,
        station,
        result: redactedResult(result, this.#runner.registry.layout.root),
      });
      const most = session.nc.info?.max_payload ?? MEGABYTE;
      if (Buffer.byteLength(body) > most) {
        throw new RunnerError(
          'contract_violation',
          `The result is larger than a message of the server may be (${most} bytes)`,
          { details: { path: 'data', raw: '' } },
        );
      }
    } catch (error) {
      failure = RunnerError.is(error)
        ? error
        : new RunnerError('internal', 'A fault of the service of inspections', { cause: error });
      const told = withoutPaths(failure.toJSON(), this.#runner.registry.layout.root);
      body = JSON.stringify({ v: 1, station, error: told });
    }
    this.#endpoints.get(productId)?.figures.add(performance.now() - startedAt, failure);
    const headers = transport.headers();
    if (failure) {
      headers.set(ERROR_HEADERS.text, failure.code);
      headers.set(ERROR_HEADERS.code, '500');
    }
    // On a line that broke nobody waits any more.
    if (!session.lost.aborted) message.respond(body, { headers });
  }

  async #inspect(productId: string, message: Msg): Promise<InspectionResult> {
    const call = readCall(message.headers?.get(CALL_HEADER));
    if (call.product_id !== productId) {
      throw new RunnerError(
        'invalid_params',
        `The call for ${call.product_id} came as one for ${productId}`,
        {
          details: { path: 'product_id' },
        },
      );
    }
    const traceparent = message.headers?.get('traceparent');
    const until = performance.now() + call.deadline_ms;
    const signal = AbortSignal.timeout(Math.ceil(call.deadline_ms));
    const picture = await this.#picture(call, message.data, signal);
    const leftMs = until - performance.now();
    if (leftMs < 1) {
      const { deadline_ms: timeoutMs } = call;
      throw new RunnerError('timeout', `The picture had not come within the limit of ${timeoutMs} ms`, {
        details: { timeoutMs },
      });
    }
    return this.#runner.inspect(
      productId,
      { encoded: picture },
      {
        timeoutMs: leftMs,
        ...(call.step_index !== undefined && { stepIndex: call.step_index }),
        ...(call.user_params && { userParams: call.user_params }),
        ...(call.target && { target: call.target }),
        ...(isTraceparent(traceparent) && { traceparent }),
      },
    );
  }

  async #picture(
    { picture: { url, digest, size: sizeBytes } }: RemoteCall,
    payload: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { maxPictureBytes = 64 * MEGABYTE, pictureHosts } = this.#options;
    if (url === undefined) {
      checkPicture(payload, { digest, sizeBytes });
      return payload;
    }
    if (sizeBytes > maxPictureBytes) {
      throw new RunnerError(
        'invalid_params',
        `The picture has ${sizeBytes} bytes; maxPictureBytes of the station is ${maxPictureBytes}`,
        { details: { path: 'picture.size' } },
      );
    }
    const { protocol, hostname } = new URL(url);
    const isAllowed = pictureHosts === undefined || pictureHosts.includes(hostname);
    if (!['http:', 'https:'].includes(protocol) || !isAllowed) {
      throw new RunnerError(
        'invalid_params',
        `This station fetches no pictures from ${protocol}//${hostname}: name the host in its pictureHosts`,
        { details: { path: 'picture.url' } },
      );
    }
    return fetchPicture({ url, digest, sizeBytes }, signal);
  }
}

function isInbox(reply: string | undefined): boolean {
  return reply?.startsWith('_INBOX') ?? false;
}
