import type { AgentDiskPort, AgentRecord } from '../ports.js';
import { checked } from '../state/read.js';
import { refOf } from '../state/refs.js';
import type { AcceptedState } from '../state/signing.js';
import type { BarState, DesiredState, GroupState, SignedState } from '../state.js';

/**
 * What the agent knows: in memory, and on the disk as far as a write came. What is known counts at once, also where the disk is full:
 * a bar that cannot be written down is a bar.
 */
export class Memory {
  readonly #disk: AgentDiskPort;
  readonly #record: AgentRecord;
  #isDirty = false;
  #writing: Promise<void> | undefined;
  desired: AcceptedState<DesiredState> | undefined;
  group: AcceptedState<GroupState> | undefined;
  /** By `name@version`, the last word about it: a bar, or that it was lifted. */
  readonly bars = new Map<string, AcceptedState<BarState>>();

  private constructor(disk: AgentDiskPort, record: AgentRecord) {
    this.#disk = disk;
    this.#record = record;
    this.desired = reopened('desired', record.desired);
    this.group = reopened('group', record.group);
    for (const word of Object.values(record.quarantined)) {
      const bar = reopened('bar', word);
      if (bar) this.bars.set(refOf(bar.state.name, bar.state.version), bar);
    }
  }

  static async open(disk: AgentDiskPort): Promise<Memory> {
    return new Memory(disk, await disk.read());
  }

  get record(): Readonly<AgentRecord> {
    return this.#record;
  }

  /** The bar on a version; `undefined` where it may be served. */
  barOn(ref: string): BarState | undefined {
    const bar = this.bars.get(ref)?.state;
    return bar?.lifted === true ? undefined : bar;
  }

  /** Highest revision of a bar or of the group that was accepted; 0 where there is none. A lifted bar counts too. */
  get wordsRev(): number {
    const words = [...this.bars.values(), ...(this.group ? [this.group] : [])];
    return Math.max(0, ...words.map(({ state }) => state.rev));
  }

  /** All versions with a bar. */
  barred(): string[] {
    return [...this.bars.keys()].filter((ref) => this.barOn(ref) !== undefined);
  }

  accept(desired: AcceptedState<DesiredState>): Promise<void> {
    this.desired = desired;
    return this.change({ desired: desired.signed, revision: desired.state.rev });
  }

  acceptGroup(group: AcceptedState<GroupState>): Promise<void> {
    this.group = group;
    return this.change({ group: group.signed });
  }

  acceptBar(ref: string, bar: AcceptedState<BarState>): Promise<void> {
    this.bars.set(ref, bar);
    return this.change({ quarantined: { ...this.#record.quarantined, [ref]: bar.signed } });
  }

  /** Resolves once the change is on the disk. */
  async change(to: Partial<AgentRecord>): Promise<void> {
    Object.assign(this.#record, to);
    this.#isDirty = true;
    await this.flush();
  }

  /** Writes what is not on the disk yet; what an earlier write failed at is tried again. */
  async flush(): Promise<void> {
    while (this.#isDirty) {
      if (this.#writing) {
        // Its failure is for those who asked for it.
        await this.#writing.catch(() => undefined);
        continue;
      }
      this.#isDirty = false;
      this.#writing = this.#disk.write({ ...this.#record });
      try {
        await this.#writing;
      } catch (error) {
        this.#isDirty = true;
        throw error;
      } finally {
        this.#writing = undefined;
      }
    }
    await this.#writing;
  }
}

/** A word of the record. It was checked before it was written down: its key may have been withdrawn since, what it said holds on. */
function reopened<K extends 'desired' | 'group' | 'bar'>(
  kind: K,
  word: unknown,
): AcceptedState<K extends 'desired' ? DesiredState : K extends 'group' ? GroupState : BarState> | undefined {
  if (word === undefined) return undefined;
  try {
    const signed = checked('signed', kind, word);
    return { state: checked(kind, kind, JSON.parse(signed.body)) as never, signed };
  } catch {
    return undefined; // of another version of the library: the server has it still
  }
}

/** Whether two signed states are the very same. */
export function isSame(a: SignedState | undefined, b: unknown): boolean {
  const other = b as Partial<SignedState> | null | undefined;
  return a !== undefined && a.body === other?.body && a.signature === other.signature && a.key === other.key;
}
