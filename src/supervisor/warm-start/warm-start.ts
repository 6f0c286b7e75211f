import { settleOrAbort } from '../../abort.js';
import { asFailure } from '../../errors.js';
import type { FramePool } from '../../frames/frame-pool.js';
import type { CallParameters } from '../../parameters/call-parameters.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { StoreLayout } from '../../store/layout.js';
import type { ForkServer } from '../../worker/fork-server.js';
import type { WorkerCall, WorkerFlavour, WorkerLimits, WorkerReady, WorkerSpec } from '../../worker/types.js';
import { resolveLimits } from '../../worker/limits.js';
import type { Clock } from '../clock.js';
import type { SupervisorPolicy } from '../policy.js';
import { serverKey, type ForkServers } from './fork-servers.js';
import { forkedLimits, tryForking } from './trial.js';
import type { WarmStartStatus } from './types.js';
import { VerdictFile, type Verdict } from './verdicts.js';

/** Of one deployment, by what its supervisor shares. `decided`: it was decided, or decided anew. */
export function warmStartOf(
  context: Pick<WarmStartContext, 'servers' | 'clock' | 'policy' | 'flavour' | 'frames'> & {
    registry: { layout: StoreLayout };
  },
  { entry, parameters }: { entry: RegistryEntry; parameters: CallParameters },
  decided: (status: WarmStartStatus) => void,
): WarmStart {
  const { registry, ...shared } = context;
  return new WarmStart({
    ...shared,
    ...{ layout: registry.layout, entry, decided, limits: resolveLimits(context.policy.limits) },
    // With the values that a call gets which brings none.
    call: () => {
      const stepIndex = entry.step_indexes?.[0] ?? 1;
      const [productId = ''] = entry.supported_pids;
      const userParams = parameters.of(stepIndex, { productId, given: undefined, kept: undefined });
      return {
        phase: 'execute',
        stepIndex,
        productId,
        userParams,
        session: { id: 'warm-start', context: {} },
      };
    },
  });
}

/** Below this a start is no burden, in milliseconds. */
const WORTH_A_TRIAL_MS = 50;

interface WarmStartContext {
  servers: ForkServers;
  layout: StoreLayout;
  entry: RegistryEntry;
  flavour: WorkerFlavour;
  policy: Readonly<SupervisorPolicy>;
  limits: WorkerLimits;
  clock: Clock;
  frames: FramePool;
  /** What a trial asks. */
  call: () => Omit<WorkerCall, 'image' | 'guideImage'>;
  decided: (status: WarmStartStatus) => void;
}

/**
 * Whether the workers of one deployment are forked from a server, and the server. Whether they may be is found out once for
 * each deployed version, by a trial beside its first workers, and kept in the store.
 */
export class WarmStart {
  readonly #context: WarmStartContext;
  readonly #file: VerdictFile;
  readonly #aborter = new AbortController();
  #spec: WorkerSpec | undefined;
  #key = '';
  #verdict: Verdict | undefined;
  #cancelTrial: (() => void) | undefined;
  #work: Promise<void> | undefined;

  constructor(context: WarmStartContext) {
    this.#context = context;
    this.#file = new VerdictFile(context.layout, context.entry, context.flavour);
  }

  /** Before the first worker: the server stands, where it is known that workers may be forked. Never throws. */
  async prepare(spec: WorkerSpec): Promise<void> {
    this.#spec = spec;
    this.#key = serverKey(this.#context.entry, spec);
    const reason = this.#whyNever();
    this.#verdict = reason === undefined ? await this.#file.read() : { isFit: false, reason };
    if (this.#verdict?.isFit) await this.#openServer();
  }

  /** To fork the next worker from. */
  get server(): ForkServer | undefined {
    return this.#isOn && this.#verdict?.isFit ? this.#context.servers.find(this.#key) : undefined;
  }

  /** Time limits of a worker that is forked. */
  get forkedLimits(): WorkerLimits {
    const { limits } = this.#context;
    return forkedLimits(limits, this.#verdict?.coldMs ?? limits.loadMs);
  }

  get status(): WarmStartStatus {
    if (!this.#isOn) return { mode: 'cold', reason: "policy.warmStart is 'off'" };
    if (!this.#verdict) return { mode: 'open' };
    const { isFit, reason, coldMs, warmMs } = this.#verdict;
    return {
      mode: isFit ? 'warm' : 'cold',
      ...(reason !== undefined && { reason }),
      ...(coldMs !== undefined && { coldMs }),
      ...(warmMs !== undefined && { warmMs }),
      ...(this.server && { serverProcessId: this.server.processId }),
    };
  }

  /** A worker has started cold and is ready. */
  started({ startMs }: WorkerReady): void {
    if (!this.#isOn || this.#work || this.#cancelTrial || this.#aborter.signal.aborted) return;
    if (this.#verdict) {
      if (this.#verdict.isFit && !this.server) this.#inBackground(() => this.#openServer());
      return;
    }
    if (startMs < WORTH_A_TRIAL_MS) return;
    const { clock, policy } = this.#context;
    // When it has stood for a while: a version that falls over needs no second process beside it.
    this.#cancelTrial = clock.after(policy.stableMs, () => {
      this.#cancelTrial = undefined;
      this.#inBackground(() => this.#decide());
    });
  }

  /**
   * A forked worker did not start where a cold one did, or did not answer its first call in time: workers of this deployment
   * start cold from now on. It may have been a limit of the machine, or the call's fault: nothing is written to the store.
   */
  doubted(reason: string): void {
    if (!this.#verdict?.isFit || this.#aborter.signal.aborted) return;
    this.#settle({ ...this.#verdict, isFit: false, reason });
    this.renew();
  }

  /** No worker is forked from the present server any more: it has failed one otherwise than by what it has imported. */
  renew(): void {
    this.#context.servers.retire(this.#key);
  }

  /** Ends what is under way; resolves when it has ended. The server stays, for the next deployment. */
  async close(): Promise<void> {
    this.#cancelTrial?.();
    this.#cancelTrial = undefined;
    this.#aborter.abort();
    await this.#work;
  }

  get #isOn(): boolean {
    return this.#context.policy.warmStart === 'auto';
  }

  #whyNever(): string | undefined {
    const { entry, policy } = this.#context;
    if (process.platform !== 'linux') return 'workers are forked on Linux alone';
    if (entry.has_numpy !== true) return 'it has no NumPy: its import is no burden';
    if (policy.devices !== undefined && policy.devices.length > 0) return 'its workers use devices';
    return undefined;
  }

  /** Undefined where none is wanted. @throws RunnerError as `ForkServers.obtain`, `aborted` */
  async #obtain(): Promise<ForkServer | undefined> {
    const { servers, limits, policy } = this.#context;
    if (!this.#isOn || !this.#spec || servers.isClosed) return undefined;
    const server = servers.obtain(this.#key, this.#spec, limits, policy.idleServerMs);
    return settleOrAbort(this.#aborter.signal, server);
  }

  async #openServer(): Promise<void> {
    try {
      const server = await this.#obtain();
      if (server?.unfit === undefined) return;
      this.doubted(server.unfit);
      await this.#file.write({ isFit: false, reason: server.unfit });
    } catch {
      // Workers start cold, which says what is wrong.
    }
  }

  async #decide(): Promise<void> {
    const { limits, frames, call } = this.#context;
    const { signal } = this.#aborter;
    let release: (() => void) | undefined;
    try {
      const server = await this.#obtain();
      if (!server || !this.#spec) return;
      release = server.retain();
      const verdict = await tryForking(server, { spec: this.#spec, limits, frames, call: call(), signal });
      this.#settle(verdict);
      await this.#file.write(verdict);
    } catch (error) {
      // Of this host alone: it says nothing of what comes of a fork.
      if (!signal.aborted) this.#settle({ isFit: false, reason: asFailure(error, 'try forking').message });
    } finally {
      release?.();
    }
    if (!this.#verdict?.isFit) this.renew();
  }

  #settle(verdict: Verdict): void {
    this.#verdict = verdict;
    this.#context.decided(this.status);
  }

  #inBackground(run: () => Promise<void>): void {
    const before = this.#work;
    const work = (async () => {
      await before;
      await run();
    })();
    this.#work = work;
    void work.finally(() => {
      if (this.#work === work) this.#work = undefined;
    });
  }
}
