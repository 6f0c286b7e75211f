import { settleOrAbort, throwIfAborted, type OperationOptions } from '../../abort.js';
import type { FramePool } from '../../frames/frame-pool.js';
import type { VersionRef } from '../../package/types.js';
import { givenProductIds } from '../../product-ids.js';
import { showAs } from '../../readable.js';
import type { CallTap } from '../calls/call-tap.js';
import type { Clock } from '../clock.js';
import type { ComparisonReport } from '../comparison/comparison-report.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import type { DeploymentTable } from '../deployments/deployment-table.js';
import type { Inspector } from '../calls/inspector.js';
import { checkNumbers } from './onlooker-options.js';
import type { SupervisorPolicy } from '../policy.js';
import { recordedNumbers } from '../recording/format.js';
import { RecorderTap } from '../recording/recorder.js';
import { replayRecording, type MakeCall, type ReplayOptions } from '../recording/replay.js';
import type { Recording, RecordOptions } from '../recording/types.js';
import type { Router } from '../deployments/router.js';
import { ShadowTap } from './shadow.js';
import type { Shadow, ShadowOptions } from './shadow-types.js';
import type { Retirement } from '../switching/retirement.js';

/** What looking on needs of a supervisor. */
interface OnlookerContext {
  inspector: Inspector;
  table: DeploymentTable;
  router: Router;
  frames: FramePool;
  retirement: Retirement;
  policy: Readonly<SupervisorPolicy>;
  clock: Clock;
  emit: Emit;
}

/** Begins and ends shadows, recordings and replays. */
export class Onlookers {
  readonly #context: OnlookerContext;
  readonly #open = new Set<() => Promise<unknown>>();

  constructor(context: OnlookerContext) {
    this.#context = context;
  }

  async shadow(o: ShadowOptions): Promise<Shadow> {
    const { policy, clock, emit } = this.#context;
    throwIfAborted(o.signal, 'shadow');
    checkNumbers(o);
    const productIds = givenProductIds('supervisor.shadow({ productIds })', o);
    const { deployment, end } = await this.#stand(o, o.workers ?? 1);
    const limits = { pre: policy.preTimeoutMs, execute: policy.executeTimeoutMs };
    const tell = (event: Parameters<Emit>[1]) => emit('shadow', event as never);
    const tap = new ShadowTap(deployment, o, { clock, limits, productIds, tell });
    const stop = this.#watch(tap, async () => {
      await tap.settled();
      await end();
    });
    const stopped = async () => {
      await stop();
      return tap.report();
    };
    const shadow: Shadow = { report: () => tap.report(), stop: stopped, [Symbol.asyncDispose]: stop };
    showAs(shadow, 'Shadow', () => ({ report: tap.report() }));
    return shadow;
  }

  async record(o: RecordOptions): Promise<Recording> {
    throwIfAborted(o.signal, 'record');
    checkNumbers(o);
    const tap = await RecorderTap.open(o);
    const stop = this.#watch(tap, () => tap.close());
    try {
      this.#context.table.checkOpen('recording');
    } catch (error) {
      await stop();
      throw error;
    }
    const stopped = async () => {
      await stop();
      return tap.status();
    };
    const recording: Recording = { status: () => tap.status(), stop: stopped, [Symbol.asyncDispose]: stop };
    showAs(recording, 'Recording', () => tap.status());
    return recording;
  }

  async replay(o: ReplayOptions, call: MakeCall): Promise<ComparisonReport> {
    throwIfAborted(o.signal, 'replay');
    checkNumbers(o);
    const numbers = await recordedNumbers(o.directory);
    const { end } = await this.#stand(o, 1);
    try {
      return await replayRecording(o, numbers, call);
    } finally {
      await end();
    }
  }

  /** Ends them all. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open].map((stop) => stop()));
  }

  /** A version that is ready until `end`. If it was started for this alone, `end` stops it. */
  async #stand(
    { name, version, signal }: VersionRef & OperationOptions,
    workers: number,
  ): Promise<{ deployment: Deployment; end: () => Promise<void> }> {
    const { router, table, retirement } = this.#context;
    const entry = await router.entry(name, version);
    const { deployment, letGo } = await table.obtain(entry, workers, signal);
    const release = deployment.keep();
    const end = async () => {
      release();
      await retirement.retire(deployment, { sparePinned: true });
    };
    try {
      await settleOrAbort(signal, deployment.serving());
    } catch (error) {
      letGo();
      await end();
      throw error;
    }
    letGo();
    return { deployment, end };
  }

  /** Adds a tap. The returned function removes it, once. */
  #watch(tap: CallTap, end: () => Promise<void>): () => Promise<void> {
    const { taps } = this.#context.inspector;
    let stopped: Promise<void> | undefined;
    const stop = () =>
      (stopped ??= (async () => {
        taps.delete(tap);
        this.#open.delete(stop);
        await end();
      })());
    taps.add(tap);
    this.#open.add(stop);
    return stop;
  }
}
