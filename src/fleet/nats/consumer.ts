import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { natsError } from './errors.js';
import type { Line, Session } from './line.js';

/** The server says that it is there, also when there is nothing to tell. */
const HEARTBEAT_MS = 5_000;

/** A message of a stream. */
export interface StreamMessage {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs | undefined;
  sequence: number;
  /** By the clock of the server. */
  storedAtMs: number;
  /** How many follow that are there already. */
  pending: number;
}

/** What is consumed: the last message of each subject of a filter, or all from a sequence on. */
export interface Target {
  stream: string;
  filter: string;
  from?: number;
}

/** What a {@link consume} tells. */
export interface Consumed {
  /** The present value of each key, then each change. */
  onMessage: (message: StreamMessage) => void;
  /** Nothing more comes, and why. */
  onEnd: (error: unknown) => void;
}

/**
 * A push consumer, until `stop`. It is one of our own, not the client's ordered consumer:
 * that one goes on from its last sequence when it was lost, and in a stream that was wiped and made anew those are the sequences of
 * other messages. Flow control is left out, so that a station needs no permission for it: a key changes seldom.
 *
 * @returns how many messages there are now, and the function that stops it
 */
export async function consume(
  line: Line,
  { nc, jsm }: Session,
  { stream, filter, from }: Target,
  { onMessage, onEnd }: Consumed,
): Promise<{ pending: number; stop: () => void }> {
  const { jetstream, transport } = line.peers;
  let received = 0;
  let watchdog: NodeJS.Timeout | undefined;
  let isStopped = false;
  const stop = () => {
    isStopped = true;
    clearTimeout(watchdog);
    if (!sub.isClosed()) sub.unsubscribe();
  };
  const end = (error: unknown) => {
    if (isStopped) return;
    stop();
    onEnd(error);
  };
  const alive = () => {
    if (isStopped) return;
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      end(new Error(`no heartbeat of the server in ${3 * HEARTBEAT_MS} ms`));
    }, 3 * HEARTBEAT_MS);
  };
  const inbox = transport.createInbox(line.inboxPrefix);
  const sub = nc.subscribe(inbox, {
    callback: (error, message) => {
      if (isStopped) return;
      if (error) {
        end(error);
        return;
      }
      alive();
      const { headers } = message;
      if (headers?.code === 100) {
        const told = Number(headers.get(jetstream.JsHeaders.LastConsumerSeqHdr));
        if (told > received) end(new Error(`${told - received} of the server's messages did not come`));
      } else if (headers && headers.code !== 0) {
        end(new Error(headers.description));
      } else {
        received++;
        onMessage(streamMessage(message));
      }
    },
  });
  try {
    const { num_pending: pending } = await jsm.consumers.add(stream, {
      name: `watch_${transport.nuid.next()}`,
      deliver_subject: inbox,
      ...(from === undefined
        ? { deliver_policy: jetstream.DeliverPolicy.LastPerSubject }
        : { deliver_policy: jetstream.DeliverPolicy.StartSequence, opt_start_seq: from }),
      ack_policy: jetstream.AckPolicy.None,
      filter_subject: filter,
      idle_heartbeat: transport.nanos(HEARTBEAT_MS),
      // The server removes it by itself once nobody listens: a station may not delete consumers.
      inactive_threshold: transport.nanos(2 * HEARTBEAT_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    alive();
    return { pending, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** The messages that are there now, at most `limit`. */
export function collect(
  line: Line,
  session: Session,
  target: Target,
  limit = Infinity,
): Promise<StreamMessage[]> {
  const found: StreamMessage[] = [];
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let stop: (() => void) | undefined;
    let isSettled = false;
    const settle = (error?: unknown): void => {
      isSettled = true;
      clearTimeout(timer);
      session.lost.removeEventListener('abort', onLost);
      stop?.();
      if (error === undefined) resolve(found);
      else reject(error instanceof Error ? error : new Error('not told', { cause: error }));
    };
    const onLost = () => {
      settle(new Error('the line broke'));
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        settle(new line.peers.transport.errors.TimeoutError());
      }, line.attemptMs);
    };
    session.lost.addEventListener('abort', onLost, { once: true });
    wait();
    consume(line, session, target, {
      onEnd: settle,
      onMessage: (message) => {
        if (isSettled) return;
        wait();
        found.push(message);
        if (message.pending === 0 || found.length === limit) settle();
      },
    }).then((opened) => {
      ({ stop } = opened);
      if (isSettled) stop();
      else if (opened.pending === 0) settle();
    }, settle);
  });
}

/**
 * Watches a filter over every session of the line: a consumer that stood while the line went silent tells nothing after a reconnect,
 * so each session gets a new one. Faults of a moment are tried again; the rest goes to `onEnd`.
 */
export function follow(
  line: Line,
  target: Target,
  o: { onMessage: (message: StreamMessage) => void; onEnd: (reason: string) => void },
): () => void {
  const { filter } = target;
  let isOver = false;
  let stopPresent = (): void => undefined;
  let failures = 0;
  const finish = () => {
    isOver = true;
    stopPresent();
    forget();
    line.closed.removeEventListener('abort', onClose);
  };
  const onClose = () => {
    finish();
    o.onEnd('the line was closed');
  };
  const failed = (session: Session, error: unknown) => {
    if (isOver || session.lost.aborted) return;
    const known = natsError(line.peers, error, {
      what: `watch of ${filter}`,
      key: filter,
      timeoutMs: line.attemptMs,
    });
    if (known.code === 'denied') {
      finish();
      o.onEnd(known.message);
      return;
    }
    // A bucket that was wiped is made anew from what stations report: its watch then goes on.
    void line.pause(Math.min(5_000, 250 * 2 ** failures++), session.lost).then(() => {
      open(session);
    });
  };
  const open = (session: Session) => {
    if (isOver || session.lost.aborted) return;
    let isPresent = true;
    const opened = consume(line, session, target, {
      onMessage: (message) => {
        if (isPresent) o.onMessage(message);
      },
      onEnd: (error) => {
        failed(session, error);
      },
    });
    stopPresent = () => {
      isPresent = false;
      void opened.then(
        ({ stop }) => {
          stop();
        },
        () => undefined,
      );
    };
    opened.then(
      () => {
        failures = 0;
      },
      (error: unknown) => {
        failed(session, error);
      },
    );
  };
  line.closed.addEventListener('abort', onClose, { once: true });
  const forget = line.onSession((session) => {
    stopPresent();
    open(session);
  });
  return finish;
}

/**
 * Sequence and count of what follows are the sixth and the ninth token of the reply subject
 * (`$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<of the consumer>.<time>.<pending>`), or the eighth and the eleventh where
 * domain and account are told too: ADR-15 of NATS.
 */
function streamMessage({ subject, data, headers, reply = '' }: Msg): StreamMessage {
  const tokens = reply.split('.');
  const at = tokens.length > 9 ? 7 : 5;
  const [sequence = NaN, , nanoseconds = NaN, pending = NaN] = tokens.slice(at).map(Number);
  return { subject, data, headers, sequence, storedAtMs: nanoseconds / 1e6, pending };
}
