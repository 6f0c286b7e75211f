import type { FramePool } from '../frames/frame-pool.js';
import type { Registry } from '../registry/registry.js';
import type { WorkerFlavour } from '../worker/types.js';
import type { Clock } from './clock.js';
import type { SupervisorPolicy } from './policy-options.js';
import type { OperationOptions } from '../abort.js';
import {
  abortSignal,
  callback,
  choice,
  Door,
  duration,
  flag,
  group,
  instance,
  must,
  name,
  number,
  option,
  productId,
  productIds,
  text,
  strings,
  whole,
  lazily,
  values,
} from '../options.js';
import { toEightBits } from '../frames/options.js';
import type { ImageInput } from '../frames/types.js';
import type { VersionRef } from '../package/types.js';
import type { HostLogger, WorkerLogOptions } from './worker-logs/types.js';
import { policyOptions, versionPolicyShape, type VersionPolicy } from './policy-options.js';
import type { StartActiveOptions } from './start-active.js';
import type { RecordOptions, ReplayOptions, ShadowOptions } from './recording-types.js';
import type { ResultOutbox } from './outbox/result-outbox.js';
import type { ProbationPolicy } from './switching/probation.js';
import { LEAST_SHARE } from './switching/share-options.js';
import { sequentialTestOptions } from './switching/sequential-test.js';
import type { RollbackOptions, SwitchOptions, WarmUp } from './switching/types.js';

/** What an {@link AlgorithmSupervisor} is made of. */
export interface AlgorithmSupervisorOptions {
  /** Where versions and mappings are looked up. It stays the caller's: `close()` leaves it open. */
  registry: Registry;
  /** Pool of the images. A given pool still belongs to the caller, who closes it. @defaultValue a pool of its own */
  frames?: FramePool;
  /** Adapter that runs the algorithm: the package's own SDK, or the one of this library. @defaultValue 'sdk' */
  worker?: WorkerFlavour;
  /** What is to differ from {@link DEFAULT_SUPERVISOR_POLICY}. */
  policy?: Partial<SupervisorPolicy>;
  /**
   * Bounds on what workers log to `<store>/logs/workers`: JSON lines with time, level, message, request, product id and
   * step, written away from the calls.
   * @defaultValue 8 MiB for a file and one before it, 256 MiB in all, 14 days
   */
  workerLogs?: WorkerLogOptions;
  /** Takes the same lines, such as a pino logger, within half a second. @defaultValue none */
  logger?: HostLogger;
  /**
   * Where each verdict, failure and alarm goes: an `Outbox` of `procvision-runner/outbox`. It stays the caller's: close it after the
   * supervisor. What it does not take fails no call. @defaultValue none
   */
  outbox?: ResultOutbox;
  /**
   * Time for all waiting of its own: restarts, circuit, trials, queue. Tests pass a clock that they control. @defaultValue
   * the system's clock
   */
  clock?: Clock;
  /**
   * Folder with the files that ship beside the modules of this library: a copy of its `dist`. For a bundle, which does not know
   * where they are; the same in every part of a process.
   * @defaultValue the variable `PROCVISION_ASSETS`, else the folder of the module
   */
  assets?: string;
}

/** Options of {@link AlgorithmSupervisor.configure}. */
export interface ConfigureOptions extends OperationOptions {
  /** Who asks, for the audit log. */
  operator?: string;
}

const version = { name: name(), version: name() };
const image = () =>
  option<ImageInput>('image', 'must be an image', (value) => typeof value === 'object' && value !== null);

const warmUp = () =>
  group<WarmUp>({
    image: must(image()),
    guideImage: option<ImageInput | 'same'>(
      'guideImage',
      "must be an image or 'same'",
      (value) => value === 'same' || (typeof value === 'object' && value !== null),
    ),
    stepIndex: whole(0),
    stepDesc: text(),
    userParams: record(),
    calls: whole(1, 1_000_000),
  });

export const probationOptions = () =>
  group<Partial<ProbationPolicy>>({
    calls: whole(1),
    durationMs: duration(1),
    maxCrashes: whole(1),
    minCalls: whole(1),
    maxTimeoutRate: number(0, 1),
    maxErrorRate: number(0, 1),
    maxLatencyRatio: number(0, Infinity),
    test: sequentialTestOptions(),
  });

/** What each call of an `AlgorithmSupervisor` takes. */
export const doors = /* @__PURE__ */ lazily(() => ({
  supervisor: new Door<AlgorithmSupervisorOptions>('new AlgorithmSupervisor({ registry })', {
    registry: must(instance('a Registry (await Registry.open(root))', 'resolve', 'use')),
    frames: instance('a FramePool', 'open', 'lease', 'send'),
    assets: text(),
    worker: choice('sdk', 'bundled'),
    policy: policyOptions(),
    workerLogs: group<WorkerLogOptions>({
      enabled: flag(),
      maxBytes: whole(1),
      maxTotalBytes: whole(1),
      maxDays: whole(1),
    }),
    logger: instance('a logger with debug, info, warn and error', 'debug', 'info', 'warn', 'error'),
    outbox: instance('an Outbox (await Outbox.open(folder, { station }))', 'record', 'note'),
    clock: instance('a Clock', 'now', 'after'),
  }),
  start: new Door<{ workers?: number } & OperationOptions>('supervisor.start(name, version, { workers })', {
    ...{ workers: whole(1, 1_024), signal: abortSignal() },
  }),
  configure: new Door<VersionPolicy>('supervisor.configure(name, version, policy)', versionPolicyShape()),
  configureBy: new Door<ConfigureOptions>('supervisor.configure: the last argument', {
    ...{ operator: text(), signal: abortSignal() },
  }),
  scale: new Door<{ workers: number } & OperationOptions>('supervisor.scale(name, version, workers)', {
    ...{ workers: must(whole(1, 1_024)), signal: abortSignal() },
  }),
  startActive: new Door<StartActiveOptions>('supervisor.startActive(options)', {
    ...{ atOnce: whole(1, 1_024), signal: abortSignal() },
  }),
  look: new Door<OperationOptions>('supervisor: the last argument', { signal: abortSignal() }),
  session: new Door<{ id: string }>('supervisor.reset({ id })', { id: name() }),
  switch: new Door<SwitchOptions>('supervisor.switch({ name, version, productIds })', {
    ...version,
    ...{ productIds: productIds(), pids: productIds() },
    operator: text(),
    probation: probationOptions(),
    share: number(LEAST_SHARE, 1),
    steps: steps(),
    warmUp: warmUp(),
    force: flag(),
    params: values(),
    dryRun: flag(),
    signal: abortSignal(),
  }),
  rollback: new Door<RollbackOptions>('supervisor.rollback({ productId })', {
    ...{ productId: productId(), pid: productId() },
    to: group<VersionRef>(version),
    operator: text(),
    warmUp: warmUp(),
    force: flag(),
    signal: abortSignal(),
  }),
  shadow: new Door<ShadowOptions>('supervisor.shadow({ name, version })', {
    ...version,
    ...{ productIds: strings(), pids: strings() },
    share: option('share', 'must be a number above 0 and up to 1', isShare),
    workers: whole(1, 1_024),
    maxPending: whole(1, 1_000_000),
    minIou: number(0, 1),
    signal: abortSignal(),
  }),
  record: new Door<RecordOptions>('supervisor.record({ directory })', {
    directory: name(),
    ...{ productIds: strings(), pids: strings() },
    maxBytes: whole(1),
    maxPending: whole(1, 1_000_000),
    signal: abortSignal(),
  }),
  replay: new Door<ReplayOptions>('supervisor.replay({ directory, name, version })', {
    ...version,
    directory: name(),
    minIou: number(0, 1),
    toEightBits: toEightBits(),
    onProgress: callback(),
    signal: abortSignal(),
  }),
}));

function record() {
  return option<Record<string, unknown>>('record', 'must be an object', (value) => {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  });
}

function steps() {
  const rule = `must be a list of numbers from ${LEAST_SHARE} to 1, each above the one before`;
  return option<readonly number[]>('steps', rule, (value) => {
    const isRising = (one: unknown, at: number) =>
      isShare(one) && one >= LEAST_SHARE && !(at > 0 && one <= ((value as number[])[at - 1] ?? 0));
    return Array.isArray(value) && value.every(isRising);
  });
}

function isShare(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= 1;
}
