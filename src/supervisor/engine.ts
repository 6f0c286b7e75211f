import { settleOrAbort, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { plainText } from '../readable.js';
import { askInfo } from './algorithm-info.js';
import { CallService } from './calls/call-service.js';
import { GuideBook } from './calls/guide-book.js';
import type { ComparisonReport } from './comparison/comparison-report.js';
import { Deadline } from './deadline.js';
import type { Deployment, DeploymentContext, Emit } from './deployments/deployment.js';
import { DeploymentTable } from './deployments/deployment-table.js';
import type { Gate } from './deployments/gate.js';
import { Inspector } from './calls/inspector.js';
import { Onlookers } from './onlookers/onlookers.js';
import type { ConfigureOptions } from './options.js';
import type { SupervisorPolicy, VersionPolicy } from './policy.js';
import type { ReplayOptions } from './recording/replay.js';
import { Router } from './deployments/router.js';
import { SessionTable } from './calls/sessions.js';
import { statusLine } from './status-line.js';
import { startActive, type StartActiveOptions, type StartReport } from './start-active.js';
import { Retirement } from './switching/retirement.js';
import { Switcher } from './switching/switcher.js';
import { Trials } from './switching/trials.js';
import { warmUp } from './switching/warm-up.js';
import { VersionPolicies } from './version-policies.js';
import type { AlgorithmInfo, SupervisedStatus } from './types.js';
import type { HostLogger, WorkerLogOptions } from './worker-logs/types.js';
import { WorkerLogs } from './worker-logs/worker-logs.js';

/** Events of the registry that may have moved a product id, or changed a policy. */
const FOLLOWED = ['changed', 'activated', 'switched', 'rolledBack', 'configured'] as const;

/** What an engine is made from: the options of its supervisor, defaults filled in. */
export interface EngineContext extends DeploymentContext {
  /** The policy as the supervisor was given it. */
  given: Partial<SupervisorPolicy>;
  /** Shut when the supervisor is closed. */
  gate: Gate;
  /** Of the logs of workers on disk. */
  workerLogs: Required<WorkerLogOptions>;
  /** Of the host. */
  logger: HostLogger | undefined;
}

/**
 * What a supervisor works with, loaded when it is first given something to do. What is asked of it here was checked by
 * the supervisor: that it is open, and the arguments.
 */
export class SupervisorEngine {
  readonly calls: CallService;
  readonly switcher: Switcher;
  readonly onlookers: Onlookers;
  readonly #context: EngineContext;
  readonly #policies: VersionPolicies;
  readonly #table: DeploymentTable;
  readonly #router: Router;
  readonly #sessions = new SessionTable();
  readonly #trials: Trials;
  readonly #logs: WorkerLogs;
  readonly #follow: () => void;

  constructor(context: EngineContext) {
    const { gate, registry, frames, policy, clock } = context;
    const emit: Emit = (name, ...args) => {
      this.#trials.watch(name, ...args);
      this.#logs.watch(name, ...args);
      return context.emit(name, ...args);
    };
    const policies = new VersionPolicies(context);
    const table = new DeploymentTable({ ...context, emit }, policies, (deployment) => {
      this.#sessions.forget(deployment);
    });
    const router = new Router({ registry, table, policies });
    const retirement = new Retirement({ registry, router, emit });
    const inspector = new Inspector({ clock, frames, sessions: this.#sessions });
    const calls = new CallService({
      ...{ gate, router, inspector, clock, emit },
      guides: new GuideBook(registry),
    });
    const trials = new Trials({ registry, retirement, clock, emit });
    this.#context = context;
    this.#policies = policies;
    this.#logs = new WorkerLogs(registry.layout.workerLogs, context.workerLogs, context.logger);
    this.#table = table;
    this.#router = router;
    this.#trials = trials;
    this.calls = calls;
    this.switcher = new Switcher({
      ...{ gate, registry, table, router, retirement, trials, policies, emit },
      warmUp: (deployment, asked, signal) => warmUp(calls, deployment, asked, signal),
    });
    this.onlookers = new Onlookers({
      ...{ gate, inspector, table, router, frames, retirement, policy, clock, emit },
    });
    this.#follow = () => {
      this.switcher.follow();
      this.#table.followPolicies();
    };
    for (const event of FOLLOWED) registry.on(event, this.#follow);
  }

  /** Each deployment in one line, for people. */
  get titles(): object[] {
    return this.status().map((deployment) => plainText(statusLine(deployment)));
  }

  async start(
    name: string,
    version: string,
    { workers, signal }: { workers?: number } & OperationOptions,
  ): Promise<Deployment> {
    const entry = await this.#router.entry(name, version);
    const before = this.#table.find(name, version);
    if (!before) this.#table.forgive(name, version);
    const { deployment, letGo } = await this.#context.gate.hold(() =>
      this.#table.obtain(entry, workers, signal),
    );
    try {
      await settleOrAbort(signal, before ? deployment.serving() : deployment.ready, () => {
        // Only a start that is nobody else's is taken back.
        if (!before && !deployment.isPinned) void deployment.stop({ reason: 'start aborted' });
      });
      deployment.isPinned = true;
      if (before && workers !== undefined) await settleOrAbort(signal, deployment.scale(workers));
    } finally {
      letGo();
    }
    if (deployment.isEnding) throw new RunnerError('closed', `${deployment.title} was stopped`);
    return deployment;
  }

  async startActive(o: StartActiveOptions): Promise<StartReport> {
    const { signal } = o;
    const active = await this.#context.registry.active({ signal });
    return startActive(
      active,
      async ({ name, version }) => (await this.start(name, version, { signal })).pool.slots.length,
      o,
    );
  }

  async configure(
    name: string,
    version: string,
    policy: VersionPolicy,
    { operator, signal }: ConfigureOptions,
  ): Promise<void> {
    this.#policies.resolve(policy); // what cannot be together with the supervisor's own is refused now
    // As the store keeps it: without what is left out.
    const kept = JSON.parse(JSON.stringify(policy)) as Record<string, unknown>;
    await this.#context.registry.configure({ name, version, policy: kept, operator, signal });
    await settleOrAbort(signal, this.#table.find(name, version)?.scaled() ?? Promise.resolve());
  }

  async scale(name: string, version: string, workers: number, signal?: AbortSignal): Promise<void> {
    const deployment = this.#table.find(name, version);
    if (!deployment) {
      const message = `${name} ${version} is not started: start('${name}', '${version}', { workers }) does both`;
      throw new RunnerError('not_initialized', message, { details: { name, version } });
    }
    await settleOrAbort(signal, deployment.scale(workers));
  }

  async stop(name: string, version: string, signal?: AbortSignal): Promise<void> {
    const deployment = this.#table.find(name, version);
    if (!deployment) return;
    await settleOrAbort(signal, deployment.stop({ finishCalls: true }), () => void deployment.stop());
  }

  async info(name: string, version: string, signal?: AbortSignal): Promise<AlgorithmInfo> {
    const { gate, registry } = this.#context;
    const { deployment, letGo } = await gate.hold(() => this.#router.route({ target: { name, version } }));
    try {
      await settleOrAbort(signal, deployment.ready);
      return await askInfo(deployment, registry.layout, this.#deadline(signal));
    } finally {
      letGo();
    }
  }

  async reset(session: string, signal?: AbortSignal): Promise<void> {
    await Promise.all(
      this.#sessions.take(session).map(async ({ deployment, worker }) => {
        const isThere = !deployment.isEnding && worker < deployment.pool.slots.length;
        if (!isThere || !deployment.pool.ready?.capabilities.includes('reset')) return;
        const call = { phase: 'reset' as const, session: { id: session, context: {} } };
        await deployment.ask(call, this.#deadline(signal), worker);
      }),
    );
  }

  replay(o: ReplayOptions): Promise<ComparisonReport> {
    return this.onlookers.replay(o, (phase, request, options) => this.calls.call(phase, request, options));
  }

  async resetCircuit(name: string, version: string, signal?: AbortSignal): Promise<void> {
    const deployment = this.#table.find(name, version);
    if (deployment) await settleOrAbort(signal, deployment.serving());
    else this.#table.forgive(name, version);
  }

  status(): SupervisedStatus[] {
    return this.#table.all().map((deployment) => deployment.status());
  }

  /** Ends everything. The frames are the supervisor's to close. */
  async close(): Promise<void> {
    for (const event of FOLLOWED) this.#context.registry.off(event, this.#follow);
    await this.#router.settled();
    const looking = this.onlookers.close();
    const switching = this.switcher.close();
    await Promise.all(this.#table.all().map((deployment) => deployment.stop({ reason: 'closed' })));
    await Promise.all([switching, looking]);
    await Promise.all(this.#table.all().map((deployment) => deployment.stop({ reason: 'closed' })));
    await this.#logs.close();
  }

  /** The limit of a question that is about no image. */
  #deadline(signal: AbortSignal | undefined): Deadline {
    const { clock, policy } = this.#context;
    return new Deadline(clock, clock.now(), policy.infoTimeoutMs, signal);
  }
}
