import type { RunnerError } from '../../errors.js';
import type { InspectionRequest } from '../types.js';
import type { GroupPlace } from './call-group.js';
import type { Inspection } from './inspection.js';
import type { CallTrace } from './tracing.js';

/** One call on its way to its deployment. */
export interface NumberedCall {
  phase: 'pre' | 'execute';
  request: InspectionRequest;
  requestId: string;
  startedAt: number;
  signal: AbortSignal | undefined;
  trace: CallTrace;
}

/** A call of a message, or none. */
export interface MessageOptions {
  /** Its place in a message that it shares. */
  place?: GroupPlace | undefined;
  /** What all calls of the message fail with. */
  failure?: RunnerError | undefined;
}

/** How a call is carried to a deployment. */
export interface CarryOptions {
  place?: GroupPlace | undefined;
  /** Called when it is in the line of the deployment. */
  admitted: (() => void) | undefined;
  /** At a canary, or come from there. */
  canary?: Required<Pick<Inspection, 'handed' | 'isOnce'>>;
}
