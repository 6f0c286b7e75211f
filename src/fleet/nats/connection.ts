import { readFileSync } from 'node:fs';
import type { Authenticator, ConnectionOptions } from '@nats-io/transport-node';
import { type OperationOptions, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { natsTls } from '../../nats-tls.js';
import { tokenOf } from '../keys.js';
import type { FleetConnection } from '../ports.js';
import { type CreateFleetOptions, makeBuckets } from './create.js';
import { NatsEvents } from './events.js';
import { Line } from './line.js';
import { doors, type FleetConnectOptions } from './options.js';
import { loadNats, type NatsPeers } from './peers.js';
import { NatsValues } from './values.js';

/** Pause between two tries to connect. All stations of a plant come at once after a restart of the server: some wait longer. */
const RECONNECT_MS = 500;

/** A connection to the NATS server of a fleet. It is kept open until `close()`, however long there is no line. */
export interface FleetServerConnection extends FleetConnection {
  /** Why there is no line, or what the server refused last. */
  readonly failure: RunnerError | undefined;
  /**
   * Makes the bucket and the stream of events, or changes those that are there; what they hold stays. For the user of an administrator.
   *
   * @throws RunnerError `invalid_params`, `unreachable`, `timeout`, `denied`
   */
  create(options?: CreateFleetOptions & OperationOptions): Promise<void>;
}

class NatsFleetConnection implements FleetServerConnection {
  readonly values: NatsValues;
  readonly events: NatsEvents;
  readonly line: Line;
  readonly #stream: string;

  constructor(line: Line, stream: string) {
    this.line = line;
    this.#stream = stream;
    this.values = new NatsValues(line);
    this.events = new NatsEvents(line, stream);
  }

  get isConnected(): boolean {
    return this.line.isConnected;
  }

  get failure(): RunnerError | undefined {
    return this.line.failure;
  }

  onConnect(listener: () => void): () => void {
    // The line that stands already is no news.
    let isKnown = this.isConnected;
    return this.line.onSession(() => {
      if (!isKnown) listener();
      isKnown = false;
    });
  }

  async create(options: CreateFleetOptions & OperationOptions = {}): Promise<void> {
    doors().create.check(options);
    const { signal, ...settings } = options;
    const operation = {
      what: 'making of bucket and stream',
      key: this.line.bucket,
      ...(signal && { signal }),
    };
    await this.line.ask(operation, (session) => makeBuckets(this.line, session, this.#stream, settings));
  }

  close(): Promise<void> {
    return this.line.close();
  }
}

/** The line below a connection, for what else of the fleet goes over it. @throws RunnerError `invalid_params` for one of another kind */
export function lineOf(connection: FleetConnection, call: string): Line {
  if (connection instanceof NatsFleetConnection) return connection.line;
  throw new RunnerError('invalid_params', `${call} needs a connection of connectFleet()`, {
    details: { path: 'connection' },
  });
}

/**
 * Opens the line to the fleet's server. It resolves at once, line or not, unless `waitMs` says otherwise: `isConnected` and `onConnect`
 * tell the rest.
 *
 * @throws RunnerError `invalid_params` for an option, a file that cannot be read, a missing peer; `unreachable` or `denied` after `waitMs`
 */
export async function connectFleet(options: FleetConnectOptions): Promise<FleetServerConnection> {
  doors().connect.check(options);
  const peers = loadNats('connectFleet()');
  const { bucket = 'fleet', stream = 'events', timeoutMs = 5_000, waitMs = 0 } = options;
  const connection = connectionOptions(peers, options);
  const line = new Line(peers, { connection, bucket, timeoutMs, retryMs: RECONNECT_MS });
  if (waitMs > 0) await firstSession(line, waitMs);
  return new NatsFleetConnection(line, stream);
}

function connectionOptions(
  peers: NatsPeers,
  o: FleetConnectOptions,
): ConnectionOptions & { inboxPrefix: string } {
  const { pingIntervalMs = 5_000, timeoutMs = 5_000 } = o;
  return {
    servers: o.servers,
    name: o.name,
    inboxPrefix: `_INBOX_${tokenOf(o.name)}`,
    ...authentication(peers, o),
    ...natsTls(o),
    timeout: timeoutMs,
    // The client would give up after ten tries, and at the second refusal of a user: a server may come back with other users.
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    reconnectJitterTLS: RECONNECT_MS,
    pingInterval: pingIntervalMs,
    maxPingOut: 2,
    noAsyncTraces: true,
  };
}

function authentication(
  { transport }: NatsPeers,
  { user, password, seedFile, credsFile }: FleetConnectOptions,
): { authenticator?: Authenticator } {
  const given = [user, seedFile, credsFile].filter((one) => one !== undefined);
  if (given.length > 1 || (user === undefined) !== (password === undefined)) {
    throw new RunnerError(
      'invalid_params',
      'connectFleet(options): give user and password, or seedFile, or credsFile, and only one of them',
      { details: { path: user === undefined ? 'seedFile' : 'user' } },
    );
  }
  if (user !== undefined) return { authenticator: transport.usernamePasswordAuthenticator(user, password) };
  if (seedFile !== undefined) {
    return { authenticator: transport.nkeyAuthenticator(fileReader(seedFile, 'seedFile', trimmed)) };
  }
  if (credsFile !== undefined) {
    return {
      authenticator: transport.credsAuthenticator(fileReader(credsFile, 'credsFile', (bytes) => bytes)),
    };
  }
  return {};
}

/** Reads a file at once and again at each connect; a file that is being replaced just then counts as it was before. */
function fileReader(file: string, option: string, read: (bytes: Uint8Array) => Uint8Array): () => Uint8Array {
  let last: Uint8Array;
  try {
    last = read(readFileSync(file));
  } catch (cause) {
    throw new RunnerError('invalid_params', `connectFleet(options): ${option} ${file} cannot be read`, {
      cause,
      details: { path: option },
    });
  }
  return () => {
    try {
      last = read(readFileSync(file));
    } catch {
      // The key that was read before.
    }
    return last;
  };
}

function trimmed(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString().trim());
}

async function firstSession(line: Line, waitMs: number): Promise<void> {
  const until = performance.now() + waitMs;
  while (!line.isConnected) {
    const left = until - performance.now();
    const { failure } = line;
    if (left <= 0 || failure?.code === 'denied') {
      await line.close();
      throw failure ?? line.notLetIn(waitMs);
    }
    await line.pause(Math.min(50, left));
  }
  throwIfAborted(line.closed);
}
