import type { Generation } from '../../package/types.js';
import type { CallPhase } from '../../worker/types.js';
import type { FakeAnswer } from './answers.js';
import type { FakeCall, FakeProcess } from './types.js';

/**
 * What is done with a call. It runs in the process of the test. What it returns is the answer; nothing means the
 * default answer, unless it has answered by itself. What it throws is answered as an exception in the algorithm is: by
 * an `error` frame with 1009.
 */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- a handler that only looks returns nothing
export type FakeHandler = (call: FakeCall) => FakeAnswer | void | Promise<FakeAnswer | void>;

/** An answer, or what makes it. */
export type FakeResponse = FakeAnswer | FakeHandler;

/**
 * How a worker starts, in place of its `hello`. Its input is read once this has returned, as by an SDK that has loaded
 * its algorithm: until then it is not ready.
 */
export type FakeStart = (worker: FakeProcess) => void | Promise<void>;

/** Options of a {@link FakeWorker}. */
export interface FakeWorkerOptions {
  /** How it is called. @defaultValue 'phased' */
  generation?: Generation;
  /** Version in its `hello`. @defaultValue '0.0.7' for phased, '0.3.2' for execute-only */
  sdkVersion?: string;
  /** Capabilities in its `hello`. @defaultValue those of the generation's SDK, for phased `info` and the hooks too */
  capabilities?: readonly string[];
  /** Runs first. An error it throws is reported like a failed import. @defaultValue it says hello */
  start?: FakeStart;
  /** What is done with calls, by phase. @defaultValue each is answered as by an algorithm that finds no fault */
  answers?: Partial<Record<CallPhase, FakeResponse>>;
  /**
   * Tell nothing of the pictures that it was sent, as a program does that knows the protocol of the specification alone: the
   * host then passes on no verdict, unless its `policy.proof` is `off`. @defaultValue false
   */
  hidesPictures?: boolean;
  /** Answer pings while a call runs, as the bundled worker does and SDKs do not. @defaultValue false */
  answersPingsInCalls?: boolean;
}
