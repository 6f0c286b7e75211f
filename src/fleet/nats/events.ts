import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
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
  readonly #salt: string;
  /** By station, the last event that is known: its offset, and its place in the stream. */
  readonly #known = new Map<string, { offset: number; sequence: number }>();

  constructor(line: Line, stream: string) {
    this.#line = line;
    this.#stream = stream;
    this.#salt = line.peers.transport.nuid.next();
  }

  async publish(
    station: string,
    body: unknown,
    { id, after, ...o }: OperationOptions & { id: string; after?: number },
  ): Promise<{ isDuplicate: boolean }> {
    const subject = eventSubject(station);
    const expect = after === undefined ? undefined : await this.#expect(station, after, o);
    const { transport } = this.#line.peers;
    const text = JSON.stringify(body);
    // The server looks for an identifier over all subjects: what another station can guess, it could use up before. With `after` the place
    // in the stream keeps doubles out, so that the identifier need not be known to the next process.
    const msgID = after === undefined ? id : `${this.#salt}/${id}`;
    let round = 1;
    const asked = this.#line.ask({ what: `event on ${subject}`, key: subject, ...o }, ({ js }, present) => {
      round = present;
      const headers = transport.headers();
      headers.set(MARK, subject);
      return js.publish(subject, text, { msgID, headers, ...(expect && { expect }) });
    });
    const { duplicate, seq } = await asked.catch((error: unknown) => {
      this.#known.delete(station); // it may have been stored
      throw error;
    });
    this.#known.set(station, { offset: offsetOf(id) ?? 0, sequence: seq });
    // A second try that was one too many is no double of the caller's.
    return { isDuplicate: duplicate && round === 1 };
  }

  async lastOffset(station: string, o: OperationOptions = {}): Promise<number | undefined> {
    const subject = eventSubject(station);
    const last = await this.#line.ask({ what: `last event of ${subject}`, key: subject, ...o }, ({ jsm }) =>
      jsm.direct.getMessage(this.#stream, { last_by_subj: subject }),
    );
    const isTrue = last && isWrittenAt(subject, last.header, true);
    const offset = isTrue ? offsetOf(last.header.get('Nats-Msg-Id')) : undefined;
    this.#known.set(station, { offset: offset ?? 0, sequence: last?.seq ?? 0 });
    return offset;
  }

  /**
   * The server compares places in the stream, not identifiers of one subject: the place of the last event, where it is the expected one.
   * It looks for a duplicate first, so that an event that was stored already is no conflict.
   */
  async #expect(
    station: string,
    after: number,
    o: OperationOptions,
  ): Promise<{ lastSubjectSequence: number }> {
    if (this.#known.get(station)?.offset !== after) await this.lastOffset(station, o);
    const { offset, sequence } = this.#known.get(station) ?? { offset: 0, sequence: 0 };
    if (offset === after) return { lastSubjectSequence: sequence };
    const subject = eventSubject(station);
    throw new RunnerError(
      'conflict',
      `The last event on ${subject} is ${offset}, not ${after}: read it again`,
      {
        details: { path: subject },
      },
    );
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

/** The offset in an identifier `<station>/<offset>`. */
function offsetOf(id: string): number | undefined {
  const offset = id.slice(id.lastIndexOf('/') + 1);
  return /^\d+$/.test(offset) ? Number(offset) : undefined;
}

function storedEvent({ subject, data, sequence, storedAtMs }: StreamMessage): StoredEvent {
  const storedAt = new Date(storedAtMs).toISOString();
  return { sequence, subject, body: parsedValue(data), storedAt };
}

function isTrueEvent({ subject, headers }: StreamMessage): boolean {
  return isWrittenAt(subject, headers, false);
}
