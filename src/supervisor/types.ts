import type { WarmStartStatus } from './warm-start/types.js';
import type { WorkerBounds } from '../process/containment.js';
import type { OperationOptions } from '../abort.js';
import type { RunnerError } from '../errors.js';
import type { PictureProof } from '../frames/proof.js';
import type { ImageInput } from '../frames/types.js';
import type { Generation, ManifestStep } from '../package/types.js';
import type { ProductIdName } from '../product-ids.js';
import type {
  PicturesWay,
  ResultData,
  WorkerException,
  WorkerMetrics,
  WorkerState,
} from '../worker/types.js';
import type { LatencySummary } from './latency.js';
import type { VersionPolicy } from './policy-options.js';
import type { CircuitState } from './pool/restart-policy.js';

/** A deployed version, named itself. */
export interface InspectionTarget {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
}

/**
 * One image to inspect, for a product id or for a version.
 *
 * @typeParam Params - of `userParams`
 */
export type InspectionRequest<Params extends object = Record<string, unknown>> = InspectionInput<Params> &
  (
    | (ProductIdName & {
        /** Goes to this version instead, whatever the mapping says. */
        target?: InspectionTarget;
      })
    | {
        /** Passed to the algorithm. */
        productId?: string;
        /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
        pid?: string;
        /** The version that answers, active or not. */
        target: InspectionTarget;
      }
  );

/**
 * What is to be inspected, and how.
 *
 * @typeParam Params - of `userParams`
 */
export interface InspectionInput<Params extends object = Record<string, unknown>> {
  /** One of the steps that the version declares, 0 included; from 1 where it declares none. */
  stepIndex: number;
  /** Description of the step, for the algorithm. */
  stepDesc?: string;
  /** The image to inspect. */
  image: ImageInput;
  /**
   * What the image is compared with (execute-only generation, which demands it). `'same'` compares the image with itself:
   * `warnings` of the result and the audit log say so.
   * @defaultValue the guide that is registered for `productId` and `stepIndex`, see `Registry.setGuide`
   */
  guideImage?: ImageInput | 'same';
  /**
   * Where to look: labelled boxes in pixels of the image (execute-only generation).
   * @defaultValue those of the registered guide, where that is used, else none
   */
  guideInfo?: {
    /** Name of what the region shows. */
    label?: string;
    /** Its boxes. */
    posList: {
      /** Of the left edge. */
      x: number;
      /** Of the top edge. */
      y: number;
      /** Pixels. */
      width: number;
      /** Pixels. */
      height: number;
    }[];
  }[];
  /** Calls that belong together (phased generation): each goes to the worker that keeps its values (bundled), or to the one before when that is free (SDK). */
  session?: {
    /** @defaultValue a random id */
    id?: string;
    /** Handed to the algorithm with each call. @defaultValue empty */
    context?: Record<string, unknown>;
  };
  /** Parameters of the step, by key. */
  userParams?: Params;
  /**
   * Counted from the request, waiting and retries included. Without it the policy's limit for the phase holds, and
   * counts from when the deployment is ready: a first call that has to start it does not fail by that.
   * @defaultValue the policy's limit for the phase
   */
  timeoutMs?: number;
  /**
   * The trace that the call belongs to: `traceparent` of W3C Trace Context. The algorithm finds it in the environment, as
   * `PROC_TRACEPARENT`. @defaultValue none, or that of an observer such as `procvision-runner/telemetry`
   */
  traceparent?: string;
}

/** A canary that failed a call before the version that is mapped answered it. */
export interface FellBackFrom extends InspectionTarget {
  /** Of the failure; `execute_exception` for an answer ERROR. */
  code: string;
  /** Of the failure, for people. */
  message: string;
}

/**
 * What came of it. An algorithm that answers ERROR is a result; failures of the machinery are RunnerErrors.
 *
 * @typeParam Data - fields of `data` besides the known ones, as the algorithm sends them: they are not checked
 */
export interface InspectionResult<Data = unknown> {
  /** Whether the algorithm could do its work; the verdict is in `data`. */
  status: 'OK' | 'ERROR';
  /** What the algorithm says to it. */
  message: string;
  /** Number of the failure, with status ERROR. */
  errorCode?: string;
  /** What the algorithm raised, with status ERROR: under both workers, with its place and its traceback. */
  exception?: WorkerException;
  /** Verdict, boxes and whatever else was sent. */
  data: ResultData & Data;
  /** Of the call, as on the wire. */
  requestId: string;
  /** Index of the worker in its pool, from 0. */
  worker: number;
  /** How often it was tried; 1 when all went well. */
  attempts: number;
  /** Where the time went. */
  timing: {
    /** Waiting for the version to be started (a first call), or for its stop to end. */
    startMs: number;
    /** Waiting for a worker. */
    queueMs: number;
    /** Copying images. */
    frameMs: number;
    /** The last attempt at the worker. */
    callMs: number;
    /** From the request to the result. */
    totalMs: number;
  };
  /** Package that answered. */
  name: string;
  /** As `name`. */
  version: string;
  /**
   * Where a canary failed the call first: `name` and `version` beside it are then those of the mapped version, which answered,
   * and `attempts` counts both.
   */
  fellBackFrom?: FellBackFrom;
  /**
   * What shows that the answer is about the pictures of the call. Absent with `policy.proof: 'off'`, and where a picture
   * could not be read: then the status is ERROR and the code 1007.
   */
  proof?: PictureProof;
  /** Paths in the answer where Python had written NaN, an infinity, or a number past the largest double, read as null. */
  nonFinite?: string[];
  /**
   * Paths in the answer of whole numbers beyond ±(2^53 - 1), which a double does not hold: given as strings of their
   * digits, since a result is often written as JSON again.
   */
  bigIntegers?: string[];
  /** What a person should know of the answer; empty when there is nothing. */
  warnings: string[];
  /** What the worker measured itself (bundled worker only). Of pictures that it took at once, each has its share of the time. */
  metrics?: WorkerMetrics;
  /**
   * Of `executeMany` alone: why this picture has no answer, where `execute` would have rejected. `status` is then ERROR, `data`
   * empty, `worker` -1 and `attempts` 0.
   */
  error?: RunnerError;
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
}

/**
 * Where a deployment stands. `executing` while a call runs, `failed` while its circuit is open.
 */
export type SupervisedState =
  'deployed' | 'starting' | 'running' | 'executing' | 'failed' | 'stopping' | 'stopped';

/** Memory of one GPU that a process takes. */
export interface GpuUse {
  /** As `nvidia-smi` names it: `GPU-8a3f…`, `MIG-…`; `policy.devices` takes the same name. */
  device: string;
  /** In use by the process, its children included. */
  memoryBytes: number;
}

/** One worker, as `status()` shows it. */
export interface SupervisedWorker {
  /** Index in the pool, from 0. */
  worker: number;
  /** `waiting` for its next start, or the state of its process. */
  state: WorkerState | 'waiting';
  /** Of the process, while there is one. */
  processId: number | undefined;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  pid: number | undefined;
  /** Since it was ready. */
  uptimeMs: number;
  /** Starts after the first. */
  restarts: number;
  /** 0 or 1. */
  inFlight: number;
  /** Calls that wait for this very worker, because it keeps the values of their session; the others wait for any. */
  queued: number;
  /** Calls that ended here. */
  calls: number;
  /** Of the calls as the worker answered them. */
  latency: LatencySummary;
  /**
   * Resident memory in bytes, on Windows of all processes of its job. Undefined where the system does not tell cheaply: Linux
   * does, Windows with the optional package `koffi`.
   */
  rssBytes: number | undefined;
  /** Share of one core since the last look: 1 is a whole core. */
  cpu: number | undefined;
  /** Memory of all GPUs that its process and the children of it use; undefined where no `nvidia-smi` tells it, or has not yet. */
  gpuMemoryBytes: number | undefined;
  /** The same by GPU. */
  gpus: readonly GpuUse[] | undefined;
  /** How its pictures come to the algorithm, as its last answer tells; undefined under the SDK's worker. */
  pictures: PicturesWay | undefined;
  /** What holds its process; undefined before that is known, and where nothing does (Windows, a worker that is no Python). */
  bounds: WorkerBounds | undefined;
  /** The last failure at this place of the pool. */
  lastError: RunnerError | undefined;
}

/** A share of the calls of product ids that a version has before it is mapped. */
export interface CanaryStatus {
  /** Product ids whose calls are shared out. */
  productIds: string[];
  /** Share that goes to this version now, above 0 and below 1. */
  share: number;
  /** Shares that follow; after the last the product ids are mapped to it. */
  steps: number[];
  /** Versions that answer the other calls, and are mapped. */
  from: InspectionTarget[];
  /** Calls on trial at this share. */
  calls: number;
  /** Those of them that failed or timed out. */
  failures: number;
  /** Since this share began. */
  ageMs: number;
}

/** One deployment, as `status()` shows it. */
export interface SupervisedStatus {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
  /** Product ids that are mapped to it. */
  productIds: string[];
  /** What was set for it by `configure()`; empty where nothing was. */
  policy: VersionPolicy;
  /** Threads that numeric libraries of each worker use; undefined where it is left to them. */
  threads: number | undefined;
  /** Devices (GPUs) that its workers see, as they were named; undefined for all. */
  devices: string[] | undefined;
  /** How it is called. */
  generation: Generation;
  /** Where it stands. */
  state: SupervisedState;
  /** Whether it may be started. */
  circuit: CircuitState;
  /** Process of the first worker that stands; the others are in `workers`. */
  processId: number | undefined;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  pid: number | undefined;
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
  /** How its workers are started. */
  warmStart: WarmStartStatus;
  /** Of answered calls, from the request to the result. */
  latency: LatencySummary;
  /** Resident memory of all workers. */
  rssBytes: number | undefined;
  /** As `rssBytes`: cores in use since the last look. */
  cpu: number | undefined;
  /** Memory of GPUs that all workers use; undefined where no `nvidia-smi` tells it, or has not yet. */
  gpuMemoryBytes: number | undefined;
  /** The last failure of any worker. */
  lastError: RunnerError | undefined;
  /** While it is on trial after a switch: the product ids that may go back, and the versions that stand ready for them. */
  trial: { productIds: string[]; from: InspectionTarget[] } | undefined;
  /** The shares of calls that it has before it is mapped: one for each switch with a `share`. Empty where there is none. */
  canary: CanaryStatus[];
  /** By index. */
  workers: SupervisedWorker[];
}
