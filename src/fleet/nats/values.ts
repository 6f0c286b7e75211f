import type { MsgHdrs } from '@nats-io/transport-node';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { KeyValuePort, StoredValue, WatchOptions } from '../ports.js';
import { collect, type StreamMessage, type Target } from './collect.js';
import type { Line } from './line.js';
import { isWrittenAt, MARK } from './marks.js';
import { parsedValue } from './parsed-value.js';
import { isRemoval, watchKey } from './watch.js';

/** A bucket of JetStream: a stream `KV_<bucket>` whose subjects are `$KV.<bucket>.<key>`. */
export class NatsValues implements KeyValuePort {
  readonly #line: Line;

  constructor(line: Line) {
    this.#line = line;
  }

  async get(key: string, o: OperationOptions = {}): Promise<StoredValue | undefined> {
    const stored = await this.#entry(key, o);
    return stored?.isGone === false ? stored.value : undefined;
  }

  async put(
    key: string,
    value: unknown,
    o: OperationOptions & { revision?: number; ttlMs?: number } = {},
  ): Promise<number> {
    const body = JSON.stringify(value);
    try {
      return await this.#write(key, body, o);
    } catch (error) {
      if (o.revision !== 0 || !RunnerError.is(error, 'conflict')) throw error;
      // A key that was removed, or whose time is over, has a mark of that as its last message.
      const stored = await this.#entry(key, o);
      if (!stored?.isGone) throw error;
      return this.#write(key, body, { ...o, revision: stored.value.revision });
    }
  }

  async delete(key: string, o: OperationOptions & { revision?: number } = {}): Promise<void> {
    await this.#write(key, '', o, { 'KV-Operation': 'DEL' });
  }

  list(prefix: string, o: OperationOptions = {}): Promise<StoredValue[]> {
    const operation = { what: `list of ${prefix}`, key: prefix, ...o };
    return this.#line.ask(operation, async (session) => {
      const messages = await collect(this.#line, session, this.#target(`${prefix}>`));
      return messages
        .map((message) => this.#read(message, false))
        .filter(({ isGone }) => !isGone)
        .map(({ value }) => value);
    });
  }

  watch(key: string, o: WatchOptions): () => void {
    return watchKey({ line: this.#line, get: (one) => this.get(one) }, key, o);
  }

  #target(filter: string): Target {
    return { stream: `KV_${this.#line.bucket}`, filter: `$KV.${this.#line.bucket}.${filter}` };
  }

  async #entry(key: string, o: OperationOptions): Promise<Entry | undefined> {
    const { stream, filter } = this.#target(key);
    const message = await this.#line.ask({ what: `get of ${key}`, key, ...o }, ({ jsm }) =>
      jsm.direct.getMessage(stream, { last_by_subj: filter }),
    );
    if (!message) return undefined;
    const { header: headers, data, seq: sequence } = message;
    return this.#read({ subject: filter, headers, data, sequence }, true);
  }

  /**
   * Each write has an identifier of its own, which all its tries bear: the server stores it once and answers a second try with the
   * revision of the first. Once it has forgotten the identifier (a restart), a conflict of a second try is looked into: it may be
   * with the first.
   */
  async #write(
    key: string,
    body: string,
    o: OperationOptions & { revision?: number; ttlMs?: number },
    headers: Record<string, string> = {},
  ): Promise<number> {
    const { transport } = this.#line.peers;
    const { revision, ttlMs, signal } = o;
    const subject = this.#target(key).filter;
    const msgID = transport.nuid.next();
    let round = 1;
    try {
      const operation = { what: `put of ${key}`, key, ...(signal && { signal }) };
      return await this.#line.ask(operation, async ({ js }, present) => {
        round = present;
        const { seq } = await js.publish(subject, body, {
          msgID,
          headers: headersOf(transport.headers(), { ...headers, [MARK]: subject }),
          ...(revision !== undefined && { expect: { lastSubjectSequence: revision } }),
          ...(ttlMs !== undefined && { ttl: `${Math.max(1, Math.ceil(ttlMs / 1_000))}s` }),
        });
        return seq;
      });
    } catch (error) {
      if (round === 1 || revision === undefined || !RunnerError.is(error, 'conflict')) throw error;
      const stored = await this.#entry(key, o);
      const isOurs = stored && stored.value.revision > revision && said(stored) === body;
      if (!isOurs) throw error;
      return stored.value.revision;
    }
  }

  /** A message that nobody wrote to its key counts as none: see {@link isWrittenAt}. */
  #read(message: Omit<StreamMessage, 'pending' | 'storedAtMs'>, isPassedOn: boolean): Entry {
    const { subject, headers, data, sequence: revision } = message;
    const key = subject.slice(this.#target('').filter.length);
    const isGone = isRemoval(headers) || !isWrittenAt(subject, headers, isPassedOn);
    return { isGone, value: { key, value: isGone ? undefined : parsedValue(data), revision } };
  }
}

/** What the server has of a key: a value, or a mark that there is none any more. */
interface Entry {
  isGone: boolean;
  value: StoredValue;
}

function headersOf(made: MsgHdrs, given: Record<string, string>): MsgHdrs {
  for (const [name, value] of Object.entries(given)) made.set(name, value);
  return made;
}

function said({ isGone, value }: Entry): string {
  return isGone ? '' : JSON.stringify(value.value);
}
