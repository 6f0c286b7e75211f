import { readFile } from 'node:fs/promises';
import type * as JetStream from '@nats-io/jetstream';
import type * as Transport from '@nats-io/transport-node';
import { requirePeer } from '../../../assets.js';
import { abortError, settleOrAbort, throwIfAborted } from '../../../abort.js';
import { RunnerError } from '../../../errors.js';
import { natsTls } from '../../../nats-tls.js';
import {
  aboutOf,
  piecesOf,
  PLATFORM_LIMITS,
  TAKEN,
  type Attempt,
  type DeliveryTarget,
  type OutgoingPicture,
  type OutgoingRecord,
  type Outcome,
} from './port.js';
import type { TlsFiles } from './tls-files.js';
import { tokenOf } from '../../../subject-tokens.js';

const USE = 'outbox delivery to NATS';

/** A JetStream stream. The optional peers `@nats-io/transport-node` and `@nats-io/jetstream` are needed. */
export interface NatsTargetOptions {
  /** Addresses: `tls://nats.example:4222`. With `tls://` in one of them none is talked to in the clear. */
  servers: string[];
  /** Subjects are `<subject>.records.<station>`, `<subject>.pictures.<station>` and `<subject>.artifacts.<station>`. @defaultValue 'procvision' */
  subject?: string;
  /** @defaultValue none */
  token?: string;
  /** File of NATS credentials (JWT and seed), read at each connection. @defaultValue none */
  credsFile?: string;
  /** Certificates, as files of PEM. @defaultValue those that Node trusts, and no client certificate */
  tls?: Omit<TlsFiles, 'passphrase'>;
  /**
   * Records that are published before the first of them is confirmed. With 1 a station's order is kept whatever happens; more is faster
   * on a long line, and a record that the server loses between two others comes after them. @defaultValue 1
   */
  window?: number;
}

/** Errors of a stream that speak of the message itself: too large, or a subject that no message may have. */
const OF_THE_MESSAGE = new Set([10_054, 10_097]);
const CREDENTIALS = new Set([
  'AuthorizationError',
  'UserAuthenticationExpiredError',
  'PermissionViolationError',
]);
const CONNECT_MS = 10_000;
/** Room for headers and subject within the largest message of a server. */
const HEADER_BYTES = 4 * 1024;
const MOST_CHUNK_BYTES = 512 * 1024;

interface Line {
  nc: Transport.NatsConnection;
  js: JetStream.JetStreamClient;
}

/**
 * Each record is a message with its `ingest_id` as its id: within its window the stream keeps one of each. A picture is published in
 * parts, then what it is (with digest and number of parts), so that a reader of the second has the first.
 */
export class NatsStream implements DeliveryTarget {
  readonly title: string;
  readonly limits = PLATFORM_LIMITS;
  readonly #o: NatsTargetOptions;
  readonly #peers: { transport: typeof Transport; jetstream: typeof JetStream };
  #line: Promise<Line> | undefined;

  /** @throws RunnerError `invalid_params` where the optional peers are not installed */
  constructor(o: NatsTargetOptions, load?: (name: string) => unknown) {
    this.#o = o;
    this.title = o.servers.join(', ').replace(/\/\/[^/@]*@/g, '//');
    this.#peers = {
      transport: requirePeer(USE, '@nats-io/transport-node', { load }) as typeof Transport,
      jetstream: requirePeer(USE, '@nats-io/jetstream', { load }) as typeof JetStream,
    };
  }

  async sendRecords(records: readonly OutgoingRecord[], attempt: Attempt): Promise<Outcome> {
    return this.#outcome(attempt, async ({ js }) => {
      const window = this.#o.window ?? 1;
      for (let at = 0; at < records.length; at += window) {
        const published: Promise<unknown>[] = [];
        for (const { ingestId, json } of records.slice(at, at + window)) {
          await attempt.pace(json.length);
          throwIfAborted(attempt.signal, 'publish');
          const subject = this.#subject('records', ingestId);
          published.push(js.publish(subject, json, { msgID: ingestId, retries: 0 }));
        }
        const ended = await Promise.allSettled(published);
        const first = ended.find((one) => one.status === 'rejected');
        if (first) throw first.reason;
      }
    });
  }

  async sendPicture(picture: OutgoingPicture, attempt: Attempt): Promise<Outcome> {
    const { artifact } = picture;
    return this.#outcome(attempt, async ({ nc, js }) => {
      const { artifact_id: id, ingest_id: ingestId } = artifact;
      const length = Math.min((nc.info?.max_payload ?? 2 ** 20) - HEADER_BYTES, MOST_CHUNK_BYTES);
      let parts = 0;
      for await (const piece of piecesOf(picture.open(), length)) {
        await attempt.pace(piece.length);
        throwIfAborted(attempt.signal, 'publish');
        const headers = this.#peers.transport.headers();
        headers.set('Procvision-Artifact', encodeURIComponent(id));
        headers.set('Procvision-Part', String(++parts));
        const msgID = `${id}#${parts}`;
        await js.publish(this.#subject('pictures', ingestId), piece, { msgID, headers, retries: 0 });
      }
      const whole = JSON.stringify({ ...aboutOf(picture), parts });
      await js.publish(this.#subject('artifacts', ingestId), whole, { msgID: id, retries: 0 });
    });
  }

  async close(): Promise<void> {
    const line = await this.#line?.catch(() => undefined);
    this.#line = undefined;
    await line?.nc.close();
  }

  #subject(kind: string, ingestId: string): string {
    const [station = ''] = ingestId.split('/');
    return `${this.#o.subject ?? 'procvision'}.${kind}.${tokenOf(station)}`;
  }

  async #outcome(attempt: Attempt, work: (line: Line) => Promise<void>): Promise<Outcome> {
    const { signal } = attempt;
    try {
      const line = await settleOrAbort(signal, (this.#line ??= this.#connect()));
      await settleOrAbort(signal, work(line));
      return TAKEN;
    } catch (error) {
      return this.#meaning(signal.aborted ? abortError(signal, 'publish') : error);
    }
  }

  #meaning(error: unknown): Outcome {
    const { name, message, code } = error as Error & { code?: unknown };
    const reason = `${this.title}: ${message}`;
    if (error instanceof this.#peers.jetstream.JetStreamApiError && OF_THE_MESSAGE.has(code as number)) {
      return { state: 'refused', reason };
    }
    // The client compares with what the server allows before it sends.
    if (/max_?payload|MAX_PAYLOAD/i.test(message)) return { state: 'refused', reason };
    if (RunnerError.is(error, 'aborted')) {
      return { state: 'failed', cause: 'network', reason: `${this.title} did not confirm in time` };
    }
    // Where no stream has the subject, the client says that JetStream is not enabled.
    if (name === 'JetStreamNotEnabled' || hasNoResponders(error)) {
      const where = `${this.#o.subject ?? 'procvision'}.>`;
      return {
        state: 'failed',
        cause: 'platform',
        reason: `${this.title}: no stream takes ${where}: make one there`,
      };
    }
    if (error instanceof this.#peers.jetstream.JetStreamApiError)
      return { state: 'failed', cause: 'platform', reason };
    return { state: 'failed', cause: CREDENTIALS.has(name) ? 'credentials' : 'network', reason };
  }

  async #connect(): Promise<Line> {
    const { transport, jetstream } = this.#peers;
    const { servers, token, credsFile, tls } = this.#o;
    try {
      const creds = credsFile === undefined ? undefined : await readFile(credsFile);
      const nc = await transport.connect({
        servers,
        name: 'procvision outbox',
        timeout: CONNECT_MS,
        maxReconnectAttempts: -1,
        ...(token !== undefined && { token }),
        ...(creds && { authenticator: transport.credsAuthenticator(creds) }),
        ...natsTls({ servers, ...(tls && { tls }) }),
      });
      void nc.closed().then(() => {
        this.#line = undefined;
      });
      return { nc, js: jetstream.jetstream(nc) };
    } catch (error) {
      this.#line = undefined;
      throw error;
    }
  }
}

function hasNoResponders(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NoRespondersError' || hasNoResponders(error.cause));
}
