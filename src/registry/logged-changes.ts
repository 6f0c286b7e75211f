import type { OperationOptions } from '../abort.js';
import { audited } from '../store/audit-log.js';
import type { StoreLayout } from '../store/layout.js';
import { withReserve } from '../store/reserve.js';
import { activationLog, type ChangeRecord } from './records.js';
import type { RegistryContent } from './registry-file.js';

/** What a change does to the content; see {@link SharedContent.change}. */
type Apply<T> = (content: RegistryContent) => T | Promise<T>;

/** What can be changed. */
interface Changeable {
  change<T>(
    what: string,
    o: OperationOptions & { onCommit?: (answer: T) => void },
    apply: Apply<T>,
  ): Promise<T>;
  exclusive<T>(what: string, o: OperationOptions, work: () => Promise<T>): Promise<T>;
}

/** A change with its line in the audit log, by one of the two ways of {@link LoggedChanges}. */
export type ChangeAndLog = <T>(
  operation: string,
  record: ChangeRecord,
  o: OperationOptions,
  apply: Apply<T>,
) => Promise<T>;

/** Changes of the registry that are in the audit log, however they end. */
export class LoggedChanges {
  readonly #layout: StoreLayout;
  readonly #content: Changeable;
  readonly #running = new Set<Promise<unknown>>();

  constructor(layout: StoreLayout, content: Changeable) {
    this.#layout = layout;
    this.#content = content;
  }

  /** Resolves when all is done: committed, copied, unlocked, logged. */
  readonly whole: ChangeAndLog = (operation, record, o, apply) => this.#change(operation, record, o, apply);

  /**
   * Resolves when the change is committed. The copies in `active/`, the end of the lock and the line in the audit log, half of
   * the time of a change, follow behind. {@link LoggedChanges.settled} waits for them; the next change of this process waits
   * for the lock, not for another try.
   */
  readonly promised: ChangeAndLog = (operation, record, o, apply) =>
    new Promise((resolve, reject) => {
      this.#change(operation, record, { ...o, onCommit: resolve }, apply).then(resolve, reject);
    });

  /** Work in a moment in which nobody changes anything. */
  async exclusive<T>(
    operation: string,
    record: ChangeRecord & { step_index?: number },
    o: OperationOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    const what = [operation, 'for', ...record.pids].join(' ');
    return this.#logged(operation, record, () => this.#content.exclusive(what, o, work));
  }

  /** Resolves when nothing that was begun here is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #change<T>(
    operation: string,
    record: ChangeRecord,
    o: OperationOptions & { onCommit?: (answer: T) => void },
    apply: Apply<T>,
  ): Promise<T> {
    const whose = record.pids.length > 0 ? ['for', ...record.pids] : [];
    const what = [operation, record.name, record.version, ...whose].filter(Boolean).join(' ');
    return this.#logged(operation, record, () =>
      withReserve(this.#layout, () => this.#content.change(what, o, apply)),
    );
  }

  #logged<T>(operation: string, record: ChangeRecord, work: () => Promise<T>): Promise<T> {
    const logged = audited(activationLog(this.#layout), { operation, ...record }, work);
    this.#running.add(logged);
    const forget = () => void this.#running.delete(logged);
    logged.then(forget, forget);
    return logged;
  }
}
