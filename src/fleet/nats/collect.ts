import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { Line, Session } from './line.js';

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

/** What is collected: the last message of each subject of a filter, or all from a sequence on. */
export interface Target {
  stream: string;
  filter: string;
  from?: number;
}

/**
 * The messages that are there now, at most `limit`, by a consumer that goes when nobody listens any more. Not for stations: who may create
 * a consumer may have messages delivered to any subject, another station's among them.
 */
export async function collect(
  line: Line,
  { nc, jsm, lost }: Session,
  { stream, filter, from }: Target,
  limit = Infinity,
): Promise<StreamMessage[]> {
  const { jetstream, transport } = line.peers;
  const found: StreamMessage[] = [];
  const inbox = transport.createInbox(line.inboxPrefix);
  let settle = (_error?: Error): void => undefined;
  let timer: NodeJS.Timeout | undefined;
  const whole = new Promise<void>((resolve, reject) => {
    settle = (error) => {
      if (error === undefined) resolve();
      else reject(error);
    };
  });
  whole.catch(() => undefined); // it may fail while the consumer is still being made
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      settle(new transport.errors.TimeoutError());
    }, line.attemptMs);
  };
  const onLost = () => {
    settle(new Error('the line broke'));
  };
  const sub = nc.subscribe(inbox, {
    callback: (error, message) => {
      if (error) settle(error);
      else if (found.length < limit) {
        wait();
        const next = streamMessage(message);
        found.push(next);
        if (next.pending === 0 || found.length === limit) settle();
      }
    },
  });
  lost.addEventListener('abort', onLost, { once: true });
  try {
    const { num_pending: pending } = await jsm.consumers.add(stream, {
      name: `list_${transport.nuid.next()}`,
      deliver_subject: inbox,
      ...(from === undefined
        ? { deliver_policy: jetstream.DeliverPolicy.LastPerSubject }
        : { deliver_policy: jetstream.DeliverPolicy.StartSequence, opt_start_seq: from }),
      ack_policy: jetstream.AckPolicy.None,
      filter_subject: filter,
      inactive_threshold: transport.nanos(5_000),
      mem_storage: true,
      num_replicas: 1,
    });
    if (pending > 0 || found.length > 0) {
      wait();
      await whole;
    }
    return found;
  } finally {
    clearTimeout(timer);
    lost.removeEventListener('abort', onLost);
    if (!sub.isClosed()) sub.unsubscribe();
  }
}

/**
 * Sequence and count of what follows are the sixth and the ninth token of the reply subject
 * (`$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<of the consumer>.<time>.<pending>`), or the eighth and the eleventh where domain
 * and account are named too: ADR-15 of NATS.
 */
function streamMessage({ subject, data, headers, reply = '' }: Msg): StreamMessage {
  const tokens = reply.split('.');
  const at = tokens.length > 9 ? 7 : 5;
  const [sequence = NaN, , nanoseconds = NaN, pending = NaN] = tokens.slice(at).map(Number);
  return { subject, data, headers, sequence, storedAtMs: nanoseconds / 1e6, pending };
}
