import type { OperationOptions } from '../abort.js';
import type { RunnerError } from '../errors.js';
import type { ImageMeta } from '../frames/types.js';
import type { Generation } from '../package/types.js';

/** A box in pixels of the image, origin at the top left. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
  label?: string;
  score?: number;
  [key: string]: unknown;
}

/** `data` of a result, as the worker sent it. */
export interface ResultData {
  /** The verdict; absent in `pre` and in ERROR results. */
  result_status?: 'OK' | 'NG';
  ng_reason?: string;
  /** At most 20. */
  defect_rects?: Rect[];
  position_rects?: Rect[];
  calibration_rects?: Rect[];
  debug?: unknown;
  step_index?: number;
  phase?: string;
  [key: string]: unknown;
}

/** Which adapter runs the algorithm: the package's own SDK or the one that ships with this library. */
export type WorkerFlavour = 'sdk' | 'bundled';

/** Phases of a call. The execute-only generation has `execute` alone. */
export type CallPhase =
  'pre' | 'execute' | 'info' | 'setup' | 'teardown' | 'reset' | 'on_step_start' | 'on_step_finish';

/** What one worker process runs. */
export interface WorkerSpec {
  name: string;
  version: string;
  /** Algorithm root: the folder of `manifest.json`, working directory of the process. */
  root: string;
  /** Interpreter of the version's own environment. */
  python: string;
  /** `module.path:ClassName` */
  entryPoint: string;
  /** Folder the worker finds frames in (`PROC_SHM_DIR`). */
  frameDirectory: string;
  /** @defaultValue 'sdk' */
  flavour?: WorkerFlavour;
  /** Variables added to the allow-listed environment. */
  env?: NodeJS.ProcessEnv;
  /** Run the process as another user (POSIX, needs the right to). */
  uid?: number;
  gid?: number;
  /** Limits applied before any code of the algorithm runs (POSIX). */
  resources?: WorkerResources;
}

/** What a worker process may take from the machine. */
export interface WorkerResources {
  /** Address space (RLIMIT_AS). */
  addressSpaceBytes?: number;
  /** Open files (RLIMIT_NOFILE). */
  openFiles?: number;
  /** Added to the niceness: higher yields the CPU to others. */
  nice?: number;
}

/** Time limits of a worker, each its own. */
export interface WorkerLimits {
  /** Spawn to `hello`. @defaultValue 10_000 */
  helloMs: number;
  /** `hello` to the first pong: import and model loading. @defaultValue 120_000 */
  loadMs: number;
  /** @defaultValue 3_000 */
  preMs: number;
  /** @defaultValue 5_000 */
  executeMs: number;
  /** `info`, `reset` and the hooks. @defaultValue 5_000 */
  infoMs: number;
  /** Each step of the shutdown: frame, stdin end, SIGTERM. @defaultValue 2_000 */
  shutdownMs: number;
  /** @defaultValue 5_000 */
  heartbeatIntervalMs: number;
  /** @defaultValue 2_000 */
  heartbeatGraceMs: number;
  /** Largest frame in either direction. @defaultValue 2 MiB */
  maxFrameBytes: number;
}

/** An image as a call names it. */
export interface CallImage {
  /** Shared-memory id. */
  id: string;
  meta: ImageMeta;
}

/** One call to a worker; each generation sends the part it knows. */
export interface WorkerCall {
  phase: CallPhase;
  /** From 1. */
  stepIndex?: number;
  stepDesc?: string;
  pid?: string;
  session?: { id: string; context: Record<string, unknown> };
  userParams?: Record<string, unknown>;
  image?: CallImage;
  guideImage?: CallImage;
  guideInfo?: unknown[];
}

/** Options of one call to a worker. */
export interface WorkerCallOptions extends OperationOptions {
  /** @defaultValue the limit of the phase */
  timeoutMs?: number;
  /** @defaultValue a number that this worker has not used */
  requestId?: string;
}

/** Answer of a worker: a `result` frame, or an `error` frame for this request (status ERROR, with its code). */
export interface WorkerReply {
  requestId: string;
  status: 'OK' | 'ERROR';
  message: string;
  /** As sent; the SDK sends one in `error` frames only. */
  errorCode?: string;
  /** Class of the Python exception (bundled worker only). */
  exception?: string;
  data: ResultData;
  /** Whether the frame was an `error` frame. */
  isErrorFrame: boolean;
  /** Paths in the frame where Python had written NaN or an infinity, read as null. */
  nonFinite: string[];
  /** Call written to reply decoded. */
  callMs: number;
  /** What the worker measured itself (bundled worker only). */
  metrics?: WorkerMetrics;
}

/** The algorithm's own part of a call. */
export interface WorkerMetrics {
  /** Time in the algorithm. */
  algorithmMs: number;
  /** Resident memory of the process after the call, where the system tells it. */
  rssBytes?: number;
}

/** States of one worker process. */
export type WorkerState = 'new' | 'starting' | 'idle' | 'busy' | 'stopping' | 'exited';

/** What is known once a worker is ready. */
export interface WorkerReady {
  pid: number;
  generation: Generation;
  sdkVersion: string;
  capabilities: string[];
  /** Spawn to first pong. */
  startMs: number;
}

/** How a worker ended. */
export interface WorkerExit {
  exitCode: number | null;
  exitSignal: NodeJS.Signals | null;
  /** Why it ended: the first reason given, or `exited` when it left by itself. */
  reason: string;
  /** The failure behind the reason, if it was one. */
  error?: RunnerError;
  /** Last lines of its stderr, oldest first. */
  lastLines: string[];
}

/** One line the worker wrote to stderr. */
export interface WorkerLog {
  level: string;
  /** As logged, else the time of arrival. */
  timestampMs: number;
  message: string;
  /** Other fields of a structured line. */
  fields: Record<string, unknown>;
  /** Whether the line was one JSON object. */
  structured: boolean;
  /** Lines left out before this one because of a flood. */
  dropped?: number;
}

/** Events of an AlgorithmWorker. */
export interface WorkerEvents {
  state: [state: WorkerState, previous: WorkerState];
  ready: [ready: WorkerReady];
  exit: [exit: WorkerExit];
  log: [log: WorkerLog];
  /** Text on stdout that belongs to no frame. */
  strayOutput: [text: string];
  heartbeatLost: [error: RunnerError];
  /** A frame that was skipped: not an object, unknown type, unknown or late request id… */
  protocolError: [error: RunnerError];
}
