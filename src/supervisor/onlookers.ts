import { throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { FramePool } from '../frames/frame-pool.js';
import { settleOrAbort } from './abortable.js';
import type { CallTap } from './call-tap.js';
import type { Clock } from './clock.js';
import type { Emit } from './deployment.js';
import type { DeploymentTable } from './deployment-table.js';
import { checkWorkers } from './inspection-request.js';
import type { Inspector } from './inspector.js';
import type { SupervisorPolicy } from './policy.js';
import { RecorderTap, type Recording, type RecordOptions } from './recording/recorder.js';
import type { Router } from './router.js';
import { ShadowTap } from './shadow.js';
import type { Shadow, ShadowOptions } from './shadow-types.js';
import type { Retirement } from './switching/retirement.js';

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

/** Begins and ends shadows and recordings. */
export class Onlookers {
  readonly #context: OnlookerContext;
  readonly #open = new Set<() => Promise<unknown>>();

  constructor(context: OnlookerContext) {
    this.#context = context;
  }

  async shadow(o: ShadowOptions): Promise<Shadow> {
    const { router, table, retirement, policy, clock, emit } = this.#context;
    throwIfAborted(o.signal, 'shadow');
    const { share = 1, workers = 1 } = o;
    checkWorkers(workers);
    if (!(share > 0 && share <= 1)) {
      throw new RunnerError('invalid_params', `share must be above 0 and at most 1, not ${share}`, {
        details: { path: 'share' },
      });
    }
    const entry = await router.entry(o.name, o.version);
    const { deployment, letGo } = await table.obtain(entry, workers);
    const release = deployment.keep();
    const end = async () => {
      release();
      // Nobody else may want it; a version that was started by name stays.
      if (!deployment.isPinned) await retirement.retire(deployment);
    };
    try {
      await settleOrAbort(o.signal, deployment.serving());
    } catch (error) {
      letGo();
      await end();
      throw error;
    }
    letGo();
    const limits = { pre: policy.preTimeoutMs, execute: policy.executeTimeoutMs };
    const tell = (event: Parameters<Emit>[1]) => emit('shadow', event as never);
    const tap = new ShadowTap(deployment, o, { clock, limits, tell });
    const stop = this.#watch(tap, async () => {
      await tap.settled();
      await end();
    });
    const stopped = async () => {
      await stop();
      return tap.report();
    };
    return { report: () => tap.report(), stop: stopped, [Symbol.asyncDispose]: stop };
  }

  async record(o: RecordOptions): Promise<Recording> {
    const tap = await RecorderTap.open(o, await this.#context.frames.open());
    const stop = this.#watch(tap, () => tap.settled());
    const stopped = async () => {
      await stop();
      return tap.status();
    };
    return { status: () => tap.status(), stop: stopped, [Symbol.asyncDispose]: stop };
  }

  /** Ends them all. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open].map((stop) => stop()));
  }

  /** Lets a tap look on until it is told to stop, once. */
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
