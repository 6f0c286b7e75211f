import type { OperationOptions } from '../../abort.js';
import { eventSubject } from '../keys.js';
import { isWrittenAt, MARK } from './marks.js';
import { parsedValue } from './parsed-value.js';
import type { EventStreamPort, StoredEvent } from '../ports.js';
import { collect, type StreamMessage } from './collect.js';
import type { Line, Session } from './line.js';

/** The stream of events. The server keeps one of the messages of one identifier within its window. */
export class NatsEvents implements EventStreamPort {
  readonly #line: Line;
  readonly #stream: string;

  constructor(line: Line, stream: string) {
    this.#line = line;
    this.#stream = stream;
  }

  async publish(
    station: string,
    body: unknown,
    { id, ...o }: OperationOptions & { id: string },
  ): Promise<{ isDuplicate: boolean }> {
    const subject = eventSubject(station);
    const { transport } = this.#line.peers;
    const text = JSON.stringify(body);
    let round = 1;
    const { duplicate } = await this.#line.ask(
      { what: `event on ${subject}`, key: subject, ...o },
      ({ js }, present) => {
        round = present;
        const headers = transport.headers();
        headers.set(MARK, subject);
        return js.publish(subject, text, { msgID: id, headers });
      },
    );
    // A second try that was one too many is no double of the caller's.
    return { isDuplicate: duplicate && round === 1 };
  }

  async lastOffset(station: string, o: OperationOptions = {}): Promise<number | undefined> {
    const subject = eventSubject(station);
    const last = await this.#line.ask({ what: `last event of ${subject}`, key: subject, ...o }, ({ jsm }) =>
      jsm.direct.getMessage(this.#stream, { last_by_subj: subject }),
    );
    const isTrue = last && isWrittenAt(subject, last.header, true);
    const id = isTrue ? last.header.get('Nats-Msg-Id') : '';
    const offset = id.slice(id.lastIndexOf('/') + 1);
    return /^\d+$/.test(offset) ? Number(offset) : undefined;
  }

  read({
    station,
    after,
    limit = 100,
    ...o
  }: OperationOptions & { station?: string; after?: number; limit?: number } = {}): Promise<StoredEvent[]> {
    const filter = station === undefined ? 'events.*' : eventSubject(station);
    const operation = { what: `events on ${filter}`, key: filter, ...o };
    return this.#line.ask(operation, async (session) => {
      const target = { stream: this.#stream, filter };
      const messages =
        after === undefined
          ? await this.#last(session, filter, limit)
          : await collect(this.#line, session, { ...target, from: after + 1 }, limit);
      return messages.filter(isTrueEvent).map(storedEvent);
    });
  }

  /** The stream is searched from its end in parts that grow: how far back the last ones of one station lie is not known. */
  async #last(session: Session, filter: string, limit: number): Promise<StreamMessage[]> {
    const { state } = await session.jsm.streams.info(this.#stream);
    for (let span = limit; ; span *= 8) {
      const from = Math.max(1, state.first_seq, state.last_seq - span + 1);
      const found = await collect(this.#line, session, { stream: this.#stream, filter, from });
      if (found.length >= limit || from <= Math.max(1, state.first_seq)) return found.slice(-limit);
    }
  }
}

function storedEvent({ subject, data, sequence, storedAtMs }: StreamMessage): StoredEvent {
  const storedAt = new Date(storedAtMs).toISOString();
  return { sequence, subject, body: parsedValue(data), storedAt };
}

function isTrueEvent({ subject, headers }: StreamMessage): boolean {
  return isWrittenAt(subject, headers, false);
}
