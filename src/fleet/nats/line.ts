import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { type OperationOptions, settleOrAbort, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { natsError } from './errors.js';
import type { NatsPeers } from './peers.js';

/** A connection that stands, and what is asked over it. A new one is made at each reconnect. */
export interface Session {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Fires when the line breaks. */
  readonly lost: AbortSignal;
}

/** What a {@link Line} is made with. */
export interface LineOptions {
  connection: ConnectionOptions & { inboxPrefix: string };
  bucket: string;
  /** Limit of one operation, its retries included. */
  timeoutMs: number;
  /** Pause between two tries to connect for the first time. */
  retryMs: number;
}

/** An operation, as errors name it. */
export interface Operation extends OperationOptions {
  what: string;
  /** Key or subject. */
  key: string;
}

/**
 * Keeps a connection open, whatever ends it: the client gives up for good after some faults (a user that was refused twice, a server
 * that was never there), and a station may be without a line for a month.
 */
export class Line {
  readonly peers: NatsPeers;
  readonly bucket: string;
  readonly #options: LineOptions;
  readonly #listeners = new Set<(session: Session) => void>();
  readonly #end = new AbortController();
  #session: Session | undefined;
  #nc: NatsConnection | undefined;
  #failure: RunnerError | undefined;
  readonly #run: Promise<void>;

  constructor(peers: NatsPeers, options: LineOptions) {
    this.peers = peers;
    this.bucket = options.bucket;
    this.#options = options;
    this.#run = this.#keep();
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** What went wrong last: why there is no line, or what the server refused. */
  get failure(): RunnerError | undefined {
    return this.#failure;
  }

  /** Limit of one try of an operation: three of them fit into its limit. */
  get attemptMs(): number {
    return Math.ceil(this.#options.timeoutMs / 3);
  }

  get inboxPrefix(): string {
    return this.#options.connection.inboxPrefix;
  }

  /** Fires at `close()`. */
  get closed(): AbortSignal {
    return this.#end.signal;
  }

  /** Is called with each session, the present one too. The answer ends it. */
  onSession(listener: (session: Session) => void): () => void {
    this.#listeners.add(listener);
    if (this.#session) listener(this.#session);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Asks over the line, again after a try that got no answer. Without a line it fails at once: the client would hold the request back
   * and send it when nobody waits for it any more.
   *
   * @throws RunnerError `unreachable`, `timeout`, `denied`, `conflict`, `closed`
   */
  async ask<T>(operation: Operation, attempt: (session: Session, round: number) => Promise<T>): Promise<T> {
    const { what, key, signal } = operation;
    const { timeoutMs } = this.#options;
    const until = performance.now() + timeoutMs;
    for (let round = 1; ; round++) {
      throwIfAborted(signal, what);
      const session = this.standing(what);
      try {
        return await settleOrAbort(signal, settleOrAbort(session.lost, attempt(session, round)));
      } catch (error) {
        throwIfAborted(signal, what);
        if (session.lost.aborted) throw this.noLine(what);
        const known = natsError(this.peers, error, { what, key, timeoutMs });
        const isWorthAnother = known.code === 'timeout' || known.code === 'unreachable';
        if (!isWorthAnother || performance.now() + this.attemptMs > until) throw known;
        await this.pause(Math.min(200, this.attemptMs), session.lost);
      }
    }
  }

  /** Waits, or until the signal fires or the line is closed. */
  async pause(ms: number, signal: AbortSignal = this.closed): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await settleOrAbort(signal, waited).catch(() => undefined);
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    if (!this.#end.signal.aborted) this.#end.abort();
    await this.#nc?.close();
    await this.#run;
  }

  async #keep(): Promise<void> {
    const { transport } = this.peers;
    while (!this.closed.aborted) {
      try {
        this.#nc = await transport.connect(this.#options.connection);
        // The caller may have closed it in the meantime.
        if (this.closed.aborted as boolean) await this.#nc.close();
        else await this.#follow(this.#nc);
      } catch (error) {
        // A server that misses a certificate ends the line after its handshake: the client tries again until its time is over.
        const isOver = error instanceof transport.errors.TimeoutError;
        this.#failure = isOver ? this.notLetIn(this.#options.timeoutMs) : this.#failed(error);
      }
      await this.pause(this.#options.retryMs);
    }
  }

  /** Until the client ends the connection for good. */
  async #follow(nc: NatsConnection): Promise<void> {
    let lost = await this.#stand(nc);
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') this.#break(lost);
      else if (status.type === 'reconnect') lost = await this.#stand(nc, lost);
      else if (status.type === 'error') this.#failure = this.#failed(status.error);
    }
    this.#break(lost);
    const ended = await nc.closed();
    if (ended) this.#failure = this.#failed(ended);
  }

  async #stand(nc: NatsConnection, before?: AbortController): Promise<AbortController> {
    const { jetstream } = this.peers;
    if (before) this.#break(before);
    const lost = new AbortController();
    const js = jetstream.jetstream(nc, { timeout: this.attemptMs });
    // Without a look whether JetStream is there: that would be refused to a station.
    const jsm = await js.jetstreamManager(false);
    this.#session = { nc, js, jsm, lost: lost.signal };
    this.#failure = undefined;
    // One may end another, which gets no session any more: what it would open, nobody would end.
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener(this.#session);
    return lost;
  }

  #break(lost: AbortController): void {
    if (this.#session?.lost === lost.signal) this.#session = undefined;
    if (!lost.signal.aborted) lost.abort();
  }

  /** The session that stands. @throws RunnerError `unreachable`, `closed` */
  standing(what: string): Session {
    if (this.#session && !this.closed.aborted) return this.#session;
    throw this.noLine(what);
  }

  /** Why there is no session. */
  noLine(what: string): RunnerError {
    if (this.closed.aborted) return new RunnerError('closed', `The ${what} came after the line was closed`);
    const because = this.#failure ? `: ${this.#failure.message}` : '';
    return new RunnerError(
      'unreachable',
      `There is no line to the server of the fleet now for the ${what}${because}`,
      { cause: this.#failure },
    );
  }

  /** No server has answered, and none has said why. */
  notLetIn(ms: number): RunnerError {
    const { servers, tls } = this.#options.connection;
    const certificate = tls
      ? ', and, where the server asks for certificates of its clients, at tls.certFile and tls.keyFile'
      : '';
    return new RunnerError(
      'unreachable',
      `No server of the fleet answered in ${ms} ms (${[servers].flat().join(', ')}): look at the address${certificate}`,
    );
  }

  #failed(error: unknown): RunnerError {
    const what = `connection to ${[this.#options.connection.servers].flat().join(', ')}`;
    return natsError(this.peers, error, { what, key: 'servers', timeoutMs: this.#options.timeoutMs });
  }
}
