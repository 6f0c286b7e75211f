import type { Deadline } from '../deadline.js';
import type { InspectionRequest } from '../types.js';

/** One inspection on its way. */
export interface Inspection {
  phase: 'pre' | 'execute';
  /** With its guide, where its version demands one. */
  request: InspectionRequest;
  /** For the result. */
  warnings: string[];
  requestId: string;
  deadline: Deadline;
  startedAt: number;
  /** How long it has waited for the deployment to be ready. @defaultValue 0 */
  startMs?: number;
  /** Only this worker will do, and nobody looks on: a warm-up. */
  only?: number;
}
