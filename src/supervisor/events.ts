import type { RunnerError } from '../errors.js';
import type { Generation } from '../package/types.js';
import type { StrayOutput, WorkerExit, WorkerLog } from '../worker/types.js';
import type { ShadowEvent } from './recording-types.js';
import type { WarmStartStatus } from './warm-start/types.js';
import type { SwitchedBackEvent, SwitchedEvent } from './switching/types.js';
import type { InspectionResult, InspectionTarget, SupervisedState } from './types.js';

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

/** A deployment changed its state. */
export interface StateEvent extends DeploymentEvent {
  /** What it is now. */
  state: SupervisedState;
  previous: SupervisedState;
}

/** A worker that is ready. */
export interface WorkerReadyEvent extends WorkerEvent {
  processId: number;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  pid: number;
  /** As its `hello` tells. */
  generation: Generation;
  /** As its `hello` tells. */
  sdkVersion: string;
  /** Spawn to first pong. */
  startMs: number;
}

/** About a process that may be gone. */
export interface WorkerProcessEvent extends WorkerEvent {
  /** Undefined when it could not be spawned. */
  processId: number | undefined;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  pid: number | undefined;
}

/** How a worker's process ended. */
export interface WorkerExitEvent extends WorkerProcessEvent, WorkerExit {}

/** When a worker is started again. */
export interface WorkerRestartEvent extends WorkerEvent {
  /** From 1; starts anew once a worker has proven itself. */
  attempt: number;
  /** Until the start: 0 for the first attempt and where a warm spare steps in. */
  delayMs: number;
  /** Why the one before ended. */
  reason: string;
}

/** A worker failed. */
export interface WorkerFailureEvent extends WorkerEvent {
  error: RunnerError;
}

/** A line in a worker's log. */
export interface WorkerLogEvent extends WorkerEvent, WorkerLog {}

/** Text on a worker's stdout that belongs to no frame. */
export interface StrayOutputEvent extends WorkerEvent, StrayOutput {
  /** As printed, cut off past 8 KiB. */
  text: string;
}

/** A deployment is left alone for a while. */
export interface CircuitOpenEvent extends DeploymentEvent {
  /** `crashes`: too many within the window. `restarts`: too many in a row. `probation`: the probe failed. */
  reason: string;
  /** Until one worker is tried again. */
  coolDownMs: number;
  /** What calls are refused with; its cause is the last failure. */
  error: RunnerError;
}

/** How workers of a version are started from now on. */
export interface WarmStartEvent extends DeploymentEvent, WarmStartStatus {}

/** A version serves product ids for good: its trial is over, or it had none. */
export interface AcceptedEvent extends DeploymentEvent {
  /** Product ids that were moved to it. */
  productIds: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids: string[];
}

/** A version has another share of calls than before. `name` and `version` are those that have it. */
export interface CanaryEvent extends DeploymentEvent {
  /** Product ids whose calls are shared out. */
  productIds: string[];
  /** Versions that are mapped, and answer the other calls. */
  from: InspectionTarget[];
  /** Share that goes to the version from now on, 0 to 1; 0 when the canary has ended and the ids stay where they were. */
  share: number;
  /** Why it has ended; only with a share of 0. */
  reason?: string;
}

/** A call that failed at a canary was asked of the version that is mapped. `name` and `version` are those of the canary. */
export interface FellBackEvent extends DeploymentEvent {
  /** Product id of the request. */
  productId: string;
  /** Of the call, as on the wire. */
  requestId: string;
  /** What was called. */
  phase: 'pre' | 'execute';
  /** What the canary failed with; `execute_exception` for an answer ERROR. */
  error: RunnerError;
  /** Whether the version that is mapped answered it with status OK. */
  answered: boolean;
}

/** A version has stood its trial. */
export interface ProbationPassedEvent extends DeploymentEvent {
  /** Product ids it was switched to. */
  productIds: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids: string[];
}

/** An answered call. */
export interface ResultEvent extends DeploymentEvent {
  /** Product id of the request, where it had one. */
  productId: string | undefined;
  /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
  pid: string | undefined;
  /** Step of the request. */
  stepIndex?: number;
  /** What was called. */
  phase: 'pre' | 'execute';
  /** What the caller was given. */
  result: InspectionResult;
}

/** A call that was rejected. */
export interface CallFailedEvent extends Partial<DeploymentEvent> {
  /** The failure, as the caller was given it. */
  error: RunnerError;
  /** Product id of the request. */
  productId: string | undefined;
  /** Old name of `productId`. @deprecated use `productId`: it stays for one minor version */
  pid: string | undefined;
  requestId: string;
  phase: 'pre' | 'execute';
}

/** A failure that no caller was given. What was known of it is in it. */
export interface SupervisorErrorEvent extends Partial<WorkerEvent> {
  /** The failure. */
  error: RunnerError;
}

/** Events of an AlgorithmSupervisor. */
export interface SupervisorEvents {
  /** A deployment changed its state. */
  state: [event: StateEvent];
  /** A worker takes calls from now on, or a warm spare stands by. */
  ready: [event: WorkerReadyEvent];
  /** A worker's process ended. */
  exit: [event: WorkerExitEvent];
  /** A worker that ended will be started again. */
  restart: [event: WorkerRestartEvent];
  /** A worker was replaced because of its age or its memory. `processId` is that of the old one. */
  recycled: [event: WorkerProcessEvent];
  /** A worker stopped answering pings; it is ended and replaced. */
  heartbeatLost: [event: WorkerFailureEvent];
  /** A line the algorithm or its SDK logged. */
  log: [event: WorkerLogEvent];
  /** Text an algorithm printed to stdout, between the frames. No frame is lost by it. */
  strayOutput: [event: StrayOutputEvent];
  /** Too many crashes: nothing is started for `coolDownMs`. */
  circuitOpen: [event: CircuitOpenEvent];
  /** The deployment may be started again. */
  circuitClosed: [event: DeploymentEvent];
  /** It was found out whether the workers of a version may be forked, or that they may not any more. */
  warmStart: [event: WarmStartEvent];
  /** Product ids were moved to another version. */
  switched: [event: SwitchedEvent];
  /** A version has another share of the calls of product ids: at first, by each step, and 0 when it is taken back. */
  canary: [event: CanaryEvent];
  /** A canary failed a call, and the version that is mapped was asked. */
  fellBack: [event: FellBackEvent];
  /** A version did not stand its trial: the one before serves again. */
  switchedBack: [event: SwitchedBackEvent];
  /** Product ids are served by a version for good: after its trial, or at once where there is none. */
  accepted: [event: AcceptedEvent];
  /** A version that no product id uses any more has answered its last call and is stopped. */
  drained: [event: DeploymentEvent];
  /**
   * A version has stood its trial.
   * @deprecated use `accepted`
   */
  probationPassed: [event: ProbationPassedEvent];
  /** A candidate has answered a copy of a call. */
  shadow: [event: ShadowEvent];
  /** A call was answered. */
  result: [event: ResultEvent];
  /** A call was rejected: its caller was given the error, and the event is for those who count. */
  callFailed: [event: CallFailedEvent];
  /** Something failed that no caller waits for. */
  error: [event: SupervisorErrorEvent];
}
