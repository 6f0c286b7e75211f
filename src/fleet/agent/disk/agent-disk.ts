import path from 'node:path';
import * as v from 'valibot';
import { lazily } from '../../../options.js';
import { readJson, writeJsonAtomic, type Durability } from '../../../store/atomic-file.js';
import { onStore } from '../../../store/store-error.js';
import type { AgentDiskPort, AgentRecord } from '../../ports.js';
import { EventLog } from './event-log.js';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** `agent.json`; what is missing or damaged in it is as at the first start. */
const schema = lazily(() =>
  v.looseObject({
    desired: v.optional(v.unknown()),
    group: v.optional(v.unknown()),
    revision: v.fallback(whole, 0),
    quarantined: v.fallback(v.record(v.string(), v.unknown()), {}),
    installed: v.fallback(v.array(v.string()), []),
    seq: v.fallback(whole, 0),
    joined: v.fallback(v.boolean(), false),
    published: v.fallback(whole, 0),
  }),
);

/** What an agent keeps, in a folder of the store: `agent.json`, which is replaced as a whole, and the log of events. */
export class AgentDisk implements AgentDiskPort {
  readonly #file: string;
  readonly #log: EventLog;
  readonly #durability: Durability;

  constructor(folder: string, durability: Durability = 'full') {
    this.#file = path.join(folder, 'agent.json');
    this.#log = new EventLog(folder, durability);
    this.#durability = durability;
  }

  /** See {@link AgentDiskPort.read}. */
  async read(): Promise<AgentRecord> {
    const value = await onStore('read what the fleet wants', () => readJson(this.#file)).catch(
      (error: unknown) => {
        // No JSON any more: the server has what the fleet wants, and the stream knows the last offset.
        if (error instanceof SyntaxError) return {};
        throw error;
      },
    );
    return v.parse(schema(), value ?? {});
  }

  /** See {@link AgentDiskPort.write}. */
  write(record: AgentRecord): Promise<void> {
    return onStore('write down what the fleet wants', () =>
      writeJsonAtomic(this.#file, record, this.#durability),
    );
  }

  append(event: unknown): Promise<number> {
    return onStore('write down an event of the fleet', () => this.#log.append(event));
  }

  eventsAfter(offset: number, limit: number): Promise<{ offset: number; event: unknown }[]> {
    return onStore('read the events of the fleet', () => this.#log.after(offset, limit));
  }

  forget(offset: number): Promise<void> {
    return onStore('remove published events of the fleet', () => this.#log.forget(offset));
  }

  renumber(offset: number, from?: number): Promise<void> {
    return onStore('renumber the events of the fleet', () => this.#log.renumber(offset, from));
  }

  /** Closes the file that is written to. */
  close(): Promise<void> {
    return this.#log.close();
  }
}
