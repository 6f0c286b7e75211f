import type { WorkerBounds } from '../process/containment.js';
import type { OperationOptions } from '../abort.js';
import type { RunnerError } from '../errors.js';
import type { ProvenImage } from '../frames/proof.js';
import type { ImageMeta, SentImage } from '../frames/types.js';
import type { Generation } from '../package/types.js';

/** A box in pixels of the image, origin at the top left. Unknown fields are kept. */
export interface Rect {
  /** Left edge. */
  x: number;
  /** Upper edge. */
  y: number;
  /** To the right. */
  width: number;
  /** Downwards. */
  height: number;
  label?: string;
  /** How sure the algorithm is, by its own measure. */
  score?: number;
}

/** `data` of a result, as the worker sent it. Unknown fields are kept: `execute<Data>()` gives them a type. */
export interface ResultData {
  /** The verdict; absent in `pre` and in ERROR results. */
  result_status?: 'OK' | 'NG';
  /** Why the verdict is NG. */
  ng_reason?: string;
  /** At most 20. */
  defect_rects?: Rect[];
  /** Where the part was found. */
  position_rects?: Rect[];
  /** Where marks for calibration were found. */
  calibration_rects?: Rect[];
  /** Whatever the algorithm wants to tell its makers. */
  debug?: unknown;
  /** Step that was answered, from 1. */
  step_index?: number;
  /** Phase that was answered. */
  phase?: string;
  /** What `get_info()` answered, in the phase `info`. */
  info?: Record<string, unknown>;
}

/** Which adapter runs the algorithm: the package's own SDK, or the adapter of this library. */
export type WorkerFlavour = 'sdk' | 'bundled';

/** Phases of a call. The execute-only generation has `execute` alone. */
export type CallPhase =
  'pre' | 'execute' | 'info' | 'setup' | 'teardown' | 'reset' | 'on_step_start' | 'on_step_finish';

/** What one worker process runs. */
export interface WorkerSpec {
  /** The package's name. */
  name: string;
  /** The package's version. */
  version: string;
  /** Algorithm root: the folder of `manifest.json`, working directory of the process. */
  root: string;
  /** Interpreter of the version's own environment. */
  python: string;
  /** `module.path:ClassName` */
  entryPoint: string;
  /** Folder the worker finds frames in (`PROC_SHM_DIR`). */
  frameDirectory: string;
  /** Which adapter runs the algorithm. @defaultValue 'sdk' */
  flavour?: WorkerFlavour;
  /** What `hello` must tell of, or the start fails. @defaultValue either: calls are made in the terms of what it tells of */
  generation?: Generation;
  /** Variables added to the allow-listed environment. */
  env?: NodeJS.ProcessEnv;
  /** Run the process as another user (POSIX, needs the right to). */
  uid?: number;
  /** As `uid`, the group. */
  gid?: number;
  /** Limits applied before any code of the algorithm runs. */
  resources?: WorkerResources;
  /**
   * Folder of the store, and within it the folder of all versions. The process gets the store read-only and of the
   * versions its own alone (Linux, where it gets namespaces).
   * @defaultValue none: files are as the user's rights have them
   */
  store?: {
    /** Of the store. */
    root: string;
    /** Of all versions. */
    versions: string;
  };
  /** `none`: no network but its own loopback (Linux namespaces; where there are none, the start fails). @defaultValue 'host' */
  network?: 'host' | 'none';
  /** Whether to use namespaces where the system gives them (Linux). @defaultValue 'auto' */
  namespaces?: 'auto' | 'off';
  /** How far before others the kernel kills it when memory runs out, from 0 to 1000 (Linux). @defaultValue 500 */
  oomScoreAdj?: number;
}

/** What a worker process may take from the machine. */
export interface WorkerResources {
  /** Address space (RLIMIT_AS); on Windows the memory that each of its processes has committed (its job object). */
  addressSpaceBytes?: number;
  /** Open files (RLIMIT_NOFILE); Windows has no such limit, and `bounds.missing` says so. */
  openFiles?: number;
  /**
   * Added to the niceness: higher yields the CPU to others. On Windows the priority class of its job object: idle from 15,
   * below normal from 1, above normal below 0, high from -15.
   */
  nice?: number;
  /** Memory for its own files: caches and temporary ones (Linux namespaces). @defaultValue 512 MiB */
  scratchBytes?: number;
  /**
   * Cores that it and all that it has started may take together, such as 1.5 (Windows: its job object). Elsewhere
   * `bounds.missing` says that it has no effect: there a cgroup of the host does that.
   */
  cpus?: number;
  /** Processes at a time, itself among them (Windows: its job object). Elsewhere as `cpus`. */
  processes?: number;
}

/** Time limits of a worker, each its own. */
export interface WorkerLimits {
  /** Spawn to `hello`. @defaultValue 10_000 */
  helloMs: number;
  /** `hello` to the first pong: import and model loading. @defaultValue 120_000 */
  loadMs: number;
  /** One `pre` call. @defaultValue 3_000 */
  preMs: number;
  /** One `execute` call. @defaultValue 5_000 */
  executeMs: number;
  /** `info`, `reset` and the hooks. @defaultValue 5_000 */
  infoMs: number;
  /** Each step of the shutdown: frame, stdin end, SIGTERM. @defaultValue 2_000 */
  shutdownMs: number;
  /** Time between two pings. @defaultValue 5_000 */
  heartbeatIntervalMs: number;
  /** How long its answer may take. @defaultValue 2_000 */
  heartbeatGraceMs: number;
  /** Largest frame in either direction. @defaultValue 2 MiB */
  maxFrameBytes: number;
}

/** An image as a call names it. An image of a `FramePool` also says how the worker opens it, and what it must report. */
export interface CallImage extends Partial<Omit<SentImage, 'id' | 'meta'>> {
  /** Shared-memory id. */
  id: string;
  /** What the algorithm receives about it. */
  meta: ImageMeta;
}

/** One call to a worker; each generation sends the part it knows. */
export interface WorkerCall {
  phase: CallPhase;
  /** From 1. */
  stepIndex?: number;
  /** Description of the step, for the algorithm. */
  stepDesc?: string;
  productId?: string | undefined;
  /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
  pid?: string;
  /** Id and values that go from `pre` to `execute`. */
  session?: {
    /** Of the session. */
    id: string;
    /** Handed to the algorithm. */
    context: Record<string, unknown>;
  };
  /** Parameters of the step, by key. */
  userParams?: Record<string, unknown>;
  /** The image to inspect. */
  image?: CallImage;
  /** Of the execute-only generation. */
  guideImage?: CallImage;
  /** Of the execute-only generation, as on the wire. */
  guideInfo?: unknown[];
  /** The trace that the call belongs to, as W3C Trace Context writes it: `PROC_TRACEPARENT` while the call runs. */
  traceparent?: string | undefined;
}

/** Options of one call to a worker. */
export interface WorkerCallOptions extends OperationOptions {
  /** From the writing of the call, in milliseconds. @defaultValue the limit of the phase */
  timeoutMs?: number;
  /** The limit that a timeout tells, where part of it was over before the call was written. @defaultValue `timeoutMs` */
  reportedTimeoutMs?: number;
  /** Goes with the call and its answer. @defaultValue a number that this worker has not used */
  requestId?: string;
}

/** A call, and the id that it and its answer go by. */
export interface NumberedCall {
  call: WorkerCall;
  /** Not used before at this worker. */
  requestId: string;
}

/** Options of several calls in one message. `timeoutMs` is from the writing to the first answer. */
export interface WorkerManyOptions extends Omit<WorkerCallOptions, 'requestId'> {
  /** Longest time from one answer to the next, in milliseconds. @defaultValue `timeoutMs` */
  answerMs?: number;
  /** Others of the same message follow. @defaultValue false */
  more?: boolean;
}

/** Answer of a worker: a `result` frame, or an `error` frame for this request (status ERROR, with its code). */
export interface WorkerReply {
  /** Of the call it answers. */
  requestId: string;
  /** Whether the algorithm could do its work. */
  status: 'OK' | 'ERROR';
  /** What the algorithm says to it. */
  message: string;
  /** As sent; the SDK sends one in `error` frames only. */
  errorCode?: string;
  /**
   * Class of the Python exception, or of the class of the SDK that it is derived from, which policies go by (bundled
   * worker only).
   */
  exception?: string;
  /** The exception that the algorithm raised. */
  raised?: WorkerException;
  /** Verdict, boxes and whatever else was sent. */
  data: ResultData;
  isErrorFrame: boolean;
  /** Whether the worker could not read a picture of the call: status ERROR, 1007, and why in `message`. */
  isPictureLost?: boolean;
  /** The pictures as the worker read them, which is as they were sent; absent when nothing was to be proven. */
  pictures?: ProvenImage[];
  /** Paths in the frame where Python had written NaN, an infinity, or a number past the largest double, read as null. */
  nonFinite: string[];
  /** Paths in the frame of whole numbers beyond ±(2^53 - 1), given as strings of their digits. */
  bigIntegers?: string[];
  /** Call written to reply decoded. */
  callMs: number;
  /** What the worker measured itself (bundled worker only). */
  metrics?: WorkerMetrics;
}

/** How pictures come to an algorithm. */
export type PicturesWay = 'mapped' | 'copied';

/** The algorithm's own part of a call. */
export interface WorkerMetrics {
  /** Time in the algorithm. */
  algorithmMs: number;
  /** Resident memory of the process after the call, where the system tells it. */
  rssBytes?: number;
  /**
   * How pictures come to the algorithm: `mapped` from the host's memory, without a copy, or `copied` into memory of the worker.
   * The worker goes by what the algorithm does: where it writes to most of its pictures, it gets copies, which takes less time then.
   */
  pictures?: PicturesWay;
}

/** What a worker can be forked from (`policy.warmStart`); made by the library alone. */
export interface ForkSource {
  /** Whether its process has ended. */
  readonly isGone: boolean;
}

/** States of one worker process. */
export type WorkerState = 'new' | 'starting' | 'idle' | 'busy' | 'stopping' | 'exited';

/** What is known once a worker is ready. */
export interface WorkerReady {
  processId: number;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  pid: number;
  /** As its `hello` says. */
  generation: Generation;
  /** As its `hello` says. */
  sdkVersion: string;
  /** What it can do, as its `hello` says. */
  capabilities: string[];
  /** Spawn to first pong. */
  startMs: number;
  /** What holds the process; undefined where nothing does (Windows, a worker that is no Python). */
  bounds: WorkerBounds | undefined;
}

/** A ping that was answered. */
export interface WorkerPing {
  /** Ping written to pong read. */
  roundTripMs: number;
  /** Whether a call was running. */
  duringCall: boolean;
}

/** How a worker ended. */
export interface WorkerExit {
  /** Null when a signal ended it. */
  exitCode: number | null;
  /** Null when it left by itself. */
  exitSignal: NodeJS.Signals | null;
  /** Why it ended: the first reason given, or `exited` when it left by itself. */
  reason: string;
  /** The failure behind the reason, if it was one. */
  error?: RunnerError;
  /** Last lines of its stderr, oldest first. */
  lastLines: string[];
}

/** An exception of Python. */
export interface WorkerException {
  /** Its class, without the module. */
  type: string;
  /** Its text. */
  message: string;
  /** Where it was raised: the last place in the algorithm's own folder, else the last of all. */
  file?: string;
  /** Line of `file`. */
  line?: number;
  /** As Python prints it, with the exceptions that it came of; past 16 KiB its end. */
  traceback: string;
}

/** One line the worker wrote to stderr or stdout, or one traceback. */
export interface WorkerLog {
  /** As logged, else `info`. */
  level: string;
  /** As logged, else the time of arrival. */
  timestampMs: number;
  /** The line's text; of a traceback, all its lines. */
  message: string;
  /** Other fields of a structured line. */
  fields: Record<string, unknown>;
  /** Whether the line was one JSON object. */
  structured: boolean;
  /** Lines left out before this one because of a flood. */
  dropped?: number;
  /** Bytes left out before this one because of a flood that was too fast to be cut into lines. */
  droppedBytes?: number;
  /** Of a traceback (level `error`). */
  exception?: WorkerException;
  /** The call that ran, or had run last, when it was read. */
  requestId?: string;
  /** Product id of that call. */
  productId?: string;
  /** Step of that call. */
  stepIndex?: number;
}

/** A run of bytes between frames. */
export interface StrayOutput {
  /** How many bytes it had. */
  bytes: number;
  /** Runs left out before this one because of a flood. */
  dropped?: number;
}

/** What comes of a frame that was skipped. */
export interface ProtocolErrorInfo {
  /** It may have been the answer to the call that runs, which is rejected with the same error. */
  endsCall: boolean;
}

/** Events of an AlgorithmWorker. */
export interface WorkerEvents {
  /** Its process changed its state. */
  state: [state: WorkerState, previous: WorkerState];
  /** It has loaded its algorithm. */
  ready: [ready: WorkerReady];
  /** Its process ended. */
  exit: [exit: WorkerExit];
  /** A line it wrote to stderr. */
  log: [log: WorkerLog];
  /** Text on stdout that belongs to no frame: one event for all that came between two frames. */
  strayOutput: [text: string, output: StrayOutput];
  /** It did not answer a ping. */
  heartbeatLost: [error: RunnerError];
  /** A frame that was skipped: not an object, unknown type, unknown or late request id… */
  protocolError: [error: RunnerError, info: ProtocolErrorInfo];
}

/** Runs something when a time has passed; the answer cancels it. */
export type RunAfter = (delayMs: number, run: () => void) => () => void;
