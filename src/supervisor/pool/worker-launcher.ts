import type { RunnerError } from '../../errors.js';
import { bothProcessIds } from '../../product-ids.js';
import type { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { WorkerExit } from '../../worker/types.js';
import { startFailure, stopped } from './pool-errors.js';
import type { ForkServer } from '../../worker/fork-server.js';
import type { WarmStart } from '../warm-start/warm-start.js';
import type { SupervisorEvents } from '../events.js';

/** Events that the workers of a version give rise to. */
export type PoolEvent =
  | ('ready' | 'exit' | 'restart' | 'recycled' | 'log' | 'strayOutput' | 'heartbeatLost' | 'error')
  | ('circuitOpen' | 'circuitClosed');

/** What a pool tells of an event: not whose it is. */
export type PoolEventFacts<Name extends PoolEvent> = Omit<SupervisorEvents[Name][0], 'name' | 'version'>;

/** Tells an event of a pool; name and version are added. */
export type Tell = <Name extends PoolEvent>(event: Name, facts: PoolEventFacts<Name>) => void;

/** Starts the workers of a pool, tells of all they say, and knows each until it and what it had started are gone. */
export class WorkerLauncher {
  readonly #title: string;
  readonly #make: (server?: ForkServer) => AlgorithmWorker;
  readonly #warmStart: Pick<WarmStart, 'server' | 'doubted' | 'started'>;
  readonly #tell: Tell;
  readonly #changed: () => void;
  readonly #onExit: (worker: AlgorithmWorker, exit: WorkerExit) => void;
  readonly #alive = new Set<AlgorithmWorker>();
  /** Workers that have exited and may have left processes of their own. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #reported = new WeakSet<RunnerError>();
  #isHalted = false;

  constructor(o: {
    title: string;
    make: (server?: ForkServer) => AlgorithmWorker;
    warmStart: Pick<WarmStart, 'server' | 'doubted' | 'started'>;
    tell: Tell;
    changed: () => void;
    onExit: (worker: AlgorithmWorker, exit: WorkerExit) => void;
  }) {
    this.#title = o.title;
    this.#make = o.make;
    this.#warmStart = o.warmStart;
    this.#tell = o.tell;
    this.#changed = o.changed;
    this.#onExit = o.onExit;
  }

  /** Whether the `exit` event of its worker has reported this failure of a start. Without a process there is no such event. */
  isReported(failure: RunnerError): boolean {
    return this.#reported.has(failure);
  }

  /**
   * A worker that is ready, forked where it can be. `place` says where it stands, whenever it says something.
   *
   * @throws RunnerError as {@link AlgorithmWorker.start}; `closed` when the pool was stopped during the start
   */
  async launch(place: () => number | undefined): Promise<AlgorithmWorker> {
    const { server } = this.#warmStart;
    let notForked: Error | undefined;
    if (server) {
      try {
        return await this.#start(this.#make(server), place, true);
      } catch (failure) {
        if (this.#isHalted) throw failure;
        // A server that is gone says nothing of what it had imported.
        if (!server.isGone) notForked = failure as Error;
      }
    }
    const worker = await this.#start(this.#make(), place, false);
    if (notForked) this.#warmStart.doubted(`a forked worker does not start: ${notForked.message}`);
    else if (worker.ready) this.#warmStart.started(worker.ready);
    return worker;
  }

  async #start(
    worker: AlgorithmWorker,
    place: () => number | undefined,
    isForked: boolean,
  ): Promise<AlgorithmWorker> {
    const reported = { byExit: false };
    this.#passOn(worker, place);
    worker.once('exit', (exit) => {
      this.#alive.delete(worker);
      const gone = worker.whenTreeEnded().then(() => void this.#leaving.delete(gone));
      this.#leaving.add(gone);
      if (isForked && !worker.ready) return; // a cold one takes its place
      reported.byExit = exit.error !== undefined;
      this.#tell('exit', { worker: place(), ...bothProcessIds(worker.processId), ...exit });
      this.#onExit(worker, exit);
      this.#changed();
    });
    this.#alive.add(worker);
    try {
      await worker.start();
    } catch (cause) {
      this.#alive.delete(worker);
      // Those who keep the places filled must hear of a bug of this library as of any other failure.
      const failure = startFailure(this.#title, cause);
      if (reported.byExit) this.#reported.add(failure);
      throw failure;
    }
    if (this.#isHalted) {
      await worker.stop('stopped');
      throw stopped(this.#title);
    }
    return worker;
  }

  /** Tells what a worker says, and at which place it stands while it says it. */
  #passOn(worker: AlgorithmWorker, place: () => number | undefined): void {
    const tell = this.#tell;
    worker.on('log', (log) => {
      tell('log', { worker: place(), ...log });
    });
    worker.on('strayOutput', (text, output) => {
      tell('strayOutput', { worker: place(), text, ...output });
    });
    worker.on('heartbeatLost', (error) => {
      tell('heartbeatLost', { worker: place(), error });
    });
    worker.on('protocolError', (error, { endsCall }) => {
      if (!endsCall) tell('error', { worker: place(), error }); // else the call is rejected with it, and the worker ends with it
    });
  }

  /** A worker that becomes ready from now on is ended. */
  halt(): void {
    this.#isHalted = true;
  }

  /** Ends every worker; resolves when the last process is gone. */
  async stop(reason: string): Promise<void> {
    this.halt();
    await Promise.all([...this.#alive].map((worker) => worker.stop(reason)));
    await Promise.all(this.#leaving);
  }
}
