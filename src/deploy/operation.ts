import path from 'node:path';
import type { Readable } from 'node:stream';
import { abortError, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import type { AuditRecord } from '../store/audit-log.js';
import { onStore } from '../store/store-error.js';
import { asRunnerError } from './failure.js';
import { isInstall, StageMeter } from './progress.js';
import type {
  DeployOptions,
  DeployStage,
  OperationRef,
  DeployerProgressEvent,
  EndedEvent,
  StageEvent,
} from './types.js';

/** What the work of an operation is given. */
export interface OperationTools {
  signal: AbortSignal;
  meter: StageMeter;
  onStage: (stage: DeployStage) => void;
  /** Adds the product ids of the version to the audit record. */
  onPids: (pids: string[]) => void;
}

/** Where an operation tells how it gets on. */
export interface OperationListener {
  onStage: (event: StageEvent) => void;
  onProgress: (event: DeployerProgressEvent) => void;
  onEnded: (event: EndedEvent) => void;
}

/** Runs operations, each after `before` and until it ends or everything is closed. */
export class OperationRunner {
  readonly #registry: Registry;
  readonly #before: () => Promise<unknown>;
  readonly #listener: OperationListener;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  /** `before` is awaited by every operation; it sees to it that it does its work once. */
  constructor(registry: Registry, before: () => Promise<unknown>, listener: OperationListener) {
    this.#registry = registry;
    this.#before = before;
    this.#listener = listener;
  }

  /** Operations under way. */
  get running(): number {
    return this.#running.size;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** @throws RunnerError `closed` */
  checkOpen(what: string): void {
    if (this.isClosed) throw closedError(what);
  }

  /**
   * Runs work that ends with the caller's signal and with {@link OperationRunner.close}. A dry run does not wait for the
   * recovery that goes before the first operation: it must change nothing.
   */
  async during<T>(
    o: OperationOptions & { dryRun?: boolean },
    what: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.checkOpen(what);
    const closing = this.#closing.signal;
    const signal = o.signal ? AbortSignal.any([o.signal, closing]) : closing;
    const running = (async () => {
      if (!o.dryRun) await this.#before();
      if (signal.aborted) throw abortError(signal, what);
      return onStore(what, () => work(signal));
    })();
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      // The only other thing that aborts an operation is close().
      if (RunnerError.is(error, 'aborted') && !o.signal?.aborted) throw closedError(what);
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** As {@link OperationRunner.during}, with stages, an audit record and a progress that ends at 1. */
  async operate<T>(
    ref: OperationRef,
    o: DeployOptions & { source?: string | Readable },
    work: (tools: OperationTools) => Promise<T>,
  ): Promise<T> {
    let stage: DeployStage = isInstall(ref) ? 'inspect' : 'remove';
    const meter = new StageMeter(ref, this.#listener.onProgress);
    const onStage = (next: DeployStage) => {
      stage = next;
      this.#listener.onStage({ ...ref, stage });
      // Name and version come with the inspection; the first figure waits for them.
      if (next !== 'inspect' || typeof o.source !== 'string') meter.enter(next);
    };
    const about: Pick<AuditRecord, 'operation' | 'operator' | 'zip' | 'pids'> = {
      ...{ operation: ref.operation, operator: o.operator },
      // The only name of a package whose first check fails.
      ...(typeof o.source === 'string' && { zip: path.basename(o.source) }),
    };
    const onPids = (pids: string[]) => (about.pids = pids);
    const log = path.join(this.#registry.layout.logs, 'package_install.log');
    // An error of a stream without a reader would end the process. The reader gets the error later.
    const upload = typeof o.source === 'object' ? o.source.on('error', () => undefined) : undefined;
    try {
      const answer = await this.during(o, ref.operation, async (signal) => {
        const { audited } = await import('../store/audit-log.js');
        return audited(log, about, async () => {
          try {
            return await work({ signal, meter, onStage, onPids });
          } catch (error) {
            throw asRunnerError(error, ref, stage);
          } finally {
            Object.assign(about, { name: ref.name, version: ref.version });
          }
        });
      });
      meter.finish();
      this.#listener.onEnded({ ...ref, error: undefined });
      return answer;
    } catch (failure) {
      upload?.destroy();
      const error = asRunnerError(failure, ref, stage);
      this.#listener.onEnded({ ...ref, error });
      throw error;
    }
  }

  /** Aborts what runs and waits for its end. */
  async close(): Promise<void> {
    this.#closing.abort(closedError('the end of the operation'));
    await Promise.allSettled([...this.#running]);
  }
}

function closedError(what: string): RunnerError {
  return new RunnerError('closed', `The deployer was closed before ${what}`);
}
