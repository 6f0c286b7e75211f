import type { OperationOptions } from '../abort.js';
import type { RunnerError } from '../errors.js';
import type { ImageInput } from '../frames/types.js';
import type { Generation, ManifestStep } from '../package/types.js';
import type { ResultData, WorkerExit, WorkerMetrics, WorkerLog, WorkerState } from '../worker/types.js';
import type { LatencySummary } from './latency.js';
import type { CircuitState } from './restart-policy.js';
import type { ShadowEvent } from './shadow-types.js';
import type { SwitchedBackEvent, SwitchedEvent } from './switching/types.js';

/** A deployed version, named itself. */
export interface InspectionTarget {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
}

/** One image to inspect, for a product id or for a version. */
export type InspectionRequest = InspectionInput &
  (
    | {
        /** Routes through the active mapping. */
        pid: string;
        /** Goes to this version instead, whatever the mapping says. */
        target?: InspectionTarget;
      }
    | { pid?: string; target: InspectionTarget }
  );

/** What is to be inspected, and how. */
export interface InspectionInput {
  /** From 1. */
  stepIndex: number;
  /** Description of the step, for the algorithm. */
  stepDesc?: string;
  /** The image to inspect. */
  image: ImageInput;
  /** Needed by the execute-only generation; the image itself stands in when it is absent. */
  guideImage?: ImageInput;
  /** What the guide image shows, by label and boxes in pixels (execute-only generation). */
  guideInfo?: { label?: string; posList: { x: number; y: number; width: number; height: number }[] }[];
  /** Goes from `pre` to `execute`: the same id, and values for the algorithm. */
  session?: { id?: string; context?: Record<string, unknown> };
  /** Parameters of the step, by key. */
  userParams?: Record<string, unknown>;
  /**
   * Counted from the request, waiting and retries included. Without it the policy's limit for the phase holds, and
   * counts from when the deployment is ready: a first call that has to start it does not fail by that.
   * @defaultValue the policy's limit for the phase
   */
  timeoutMs?: number;
}

/** What came of it. An algorithm that answers ERROR is a result; failures of the machinery are RunnerErrors. */
export interface InspectionResult {
  /** Whether the algorithm could do its work; the verdict is in `data`. */
  status: 'OK' | 'ERROR';
  /** What the algorithm says to it. */
  message: string;
  /** Number of the failure, with status ERROR. */
  errorCode?: string;
  /** Verdict, boxes and whatever else was sent. */
  data: ResultData;
  /** Of the call, as on the wire. */
  requestId: string;
  /** Index of the worker in its pool, from 0. */
  worker: number;
  /** How often it was tried; 1 when all went well. */
  attempts: number;
  /** `queueMs`: waiting for a worker. `frameMs`: copying images. `callMs`: the last attempt at the worker. */
  timing: { queueMs: number; frameMs: number; callMs: number; totalMs: number };
  /** Version that answered. */
  name: string;
  /** As `name`. */
  version: string;
  /** Paths in the answer where Python had written NaN or an infinity, read as null. */
  nonFinite?: string[];
  /** What the worker measured itself (bundled worker only). */
  metrics?: WorkerMetrics;
}

/** Options of one call. */
export type CallOptions = OperationOptions;

/** What `get_info()` of an algorithm of the phased generation answers. */
export interface AlgorithmInfo {
  /** Must agree with the manifest's. */
  name: string;
  /** Must agree with the manifest's. */
  version: string;
  /** For people. */
  description?: string;
  /** Must agree with the manifest's. */
  supported_pids?: string[];
  /** What the algorithm inspects, step by step. */
  steps: ManifestStep[];
  /** Further fields, as they came. */
  [key: string]: unknown;
}

/**
 * Where a deployment stands. `executing` while a call runs, `failed` while its circuit is open.
 */
export type SupervisedState =
  'deployed' | 'starting' | 'running' | 'executing' | 'failed' | 'stopping' | 'stopped';

/** One worker, as `status()` shows it. */
export interface SupervisedWorker {
  /** Index in the pool, from 0. */
  worker: number;
  /** `waiting` for its next start, or the state of its process. */
  state: WorkerState | 'waiting';
  /** Of the process, while there is one. */
  pid: number | undefined;
  /** Since it was ready. */
  uptimeMs: number;
  /** Starts after the first. */
  restarts: number;
  /** 0 or 1. */
  inFlight: number;
  /** Calls that ended here. */
  calls: number;
  /** Of the calls as the worker answered them. */
  latency: LatencySummary;
  /** Resident memory; undefined where the system does not tell cheaply (Linux does). */
  rssBytes: number | undefined;
  /** Share of one core since the last look: 1 is a whole core. */
  cpu: number | undefined;
  /** The last failure at this place of the pool. */
  lastError: RunnerError | undefined;
}

/** One deployment, as `status()` shows it. */
export interface SupervisedStatus {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
  /** How it is called. */
  generation: Generation;
  /** Where it stands. */
  state: SupervisedState;
  /** Whether it may be started. */
  circuit: CircuitState;
  /** Since the supervisor took it up, in milliseconds. */
  uptimeMs: number;
  /** Starts of workers after the first of each. */
  restarts: number;
  /** Calls that are with a worker. */
  inFlight: number;
  /** Calls that wait for a worker. */
  queued: number;
  /** Warm spares that are ready. */
  spares: number;
  /** Of answered calls, from the request to the result. */
  latency: LatencySummary;
  /** Sums over the workers. */
  rssBytes: number | undefined;
  /** As `rssBytes`: cores in use since the last look. */
  cpu: number | undefined;
  /** The last failure of any worker. */
  lastError: RunnerError | undefined;
  /** By index. */
  workers: SupervisedWorker[];
}

/** Which deployment an event is about. */
export interface DeploymentEvent {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
}

/** Which worker an event is about: its index in the pool, undefined for a warm spare. */
export interface WorkerEvent extends DeploymentEvent {
  /** Index in the pool, from 0. */
  worker: number | undefined;
}

/** Events of an AlgorithmSupervisor. */
export interface SupervisorEvents {
  /** A deployment changed its state. */
  state: [event: DeploymentEvent & { state: SupervisedState; previous: SupervisedState }];
  /** A worker has loaded its algorithm. `startMs`: spawn to first pong. */
  ready: [event: WorkerEvent & { pid: number; generation: Generation; sdkVersion: string; startMs: number }];
  /** The process of a worker ended, as wanted or not. */
  exit: [event: WorkerEvent & { pid: number | undefined } & WorkerExit];
  /** A worker is started again after `delayMs`. */
  restart: [event: WorkerEvent & { attempt: number; delayMs: number; reason: string }];
  /** A worker was replaced because of its age or its memory. `pid` is that of the old one. */
  recycled: [event: WorkerEvent & { pid: number | undefined }];
  /** A worker did not answer a ping in time; it is ended. */
  heartbeatLost: [event: WorkerEvent & { error: RunnerError }];
  /** A line that a worker wrote to stderr. */
  log: [event: WorkerEvent & WorkerLog];
  /** Text on a worker's stdout that belongs to no frame. */
  strayOutput: [event: WorkerEvent & { text: string }];
  /** Too many crashes: nothing is started for `coolDownMs`. */
  circuitOpen: [event: DeploymentEvent & { reason: string; coolDownMs: number; error: RunnerError }];
  /** The deployment may be started again. */
  circuitClosed: [event: DeploymentEvent];
  /** Product ids were moved to another version. */
  switched: [event: SwitchedEvent];
  /** A version did not stand its trial: the one before serves again. */
  switchedBack: [event: SwitchedBackEvent];
  /** A version has stood its trial. */
  probationPassed: [event: DeploymentEvent & { pids: string[] }];
  /** A candidate has answered a copy of a call. */
  shadow: [event: ShadowEvent];
  /** A call was answered. */
  result: [
    event: DeploymentEvent & { pid: string | undefined; phase: 'pre' | 'execute'; result: InspectionResult },
  ];
  /** A call failed (with its `requestId`), or something did that no call waited for. */
  error: [
    event: Partial<WorkerEvent> & { error: RunnerError; pid?: string; requestId?: string; phase?: string },
  ];
}
