import type { OperationOptions } from '../abort.js';
import type { ImageInput } from '../frames/types.js';
import type { ResultData } from '../worker/types.js';

/** One image to inspect. `pid` routes through the active mapping; `target` names the version itself. */
export interface InspectionRequest {
  pid?: string;
  target?: { name: string; version: string };
  /** From 1. */
  stepIndex: number;
  stepDesc?: string;
  image: ImageInput;
  /** Needed by the execute-only generation; the image itself stands in when it is absent. */
  guideImage?: ImageInput;
  guideInfo?: { label?: string; posList: { x: number; y: number; width: number; height: number }[] }[];
  session?: { id?: string; context?: Record<string, unknown> };
  userParams?: Record<string, unknown>;
  /** Counted from the request. @defaultValue the policy's limit for the phase */
  timeoutMs?: number;
}

/** What came of it. An algorithm that answers ERROR is a result; failures of the machinery are RunnerErrors. */
export interface InspectionResult {
  status: 'OK' | 'ERROR';
  message: string;
  errorCode?: string;
  data: ResultData;
  requestId: string;
  /** Index of the worker in its pool, from 0. */
  worker: number;
  attempts: number;
  timing: { queueMs: number; frameMs: number; callMs: number; totalMs: number };
}

/** Options of one call. */
export type CallOptions = OperationOptions;
