import type { ResultData } from '../../worker/types.js';

/** A `result` frame. What is left out is as a good worker would have it: `{}` is the verdict OK. */
export interface FakeResult {
  /** Any other text breaks the contract. @defaultValue 'OK' */
  status?: 'OK' | 'ERROR' | (string & {});
  /** What the algorithm says to it. @defaultValue '' */
  message?: string;
  /** Put over the data that the phase has by default; a field set to `undefined` is left out. */
  data?: ResultData;
  /** `error_code`; SDKs send none in a result, the bundled worker does. */
  errorCode?: string;
  /** Another call's, to answer that one. @defaultValue the call's own */
  requestId?: string;
}

/** An `error` frame, as for an exception in the algorithm. */
export interface FakeError {
  /** Text of the exception. */
  error: string;
  /** `error_code` of the protocol's table. @defaultValue '1009' */
  errorCode?: string;
  /** Class of the exception; the bundled worker sends it, SDKs do not. */
  exception?: string;
  /** Another call's; null for that of none. @defaultValue the call's own */
  requestId?: string | null;
}

/** What a call is answered with. */
export type FakeAnswer = FakeResult | FakeError;

export function answerFrame(answer: FakeAnswer, call: { requestId: string; data: ResultData }): object {
  const about = { request_id: answer.requestId === undefined ? call.requestId : answer.requestId };
  const time = { timestamp_ms: Date.now() };
  if ('error' in answer) {
    const { error: message, errorCode = '1009', exception } = answer;
    return { type: 'error', ...about, ...time, status: 'ERROR', message, error_code: errorCode, exception };
  }
  const { status = 'OK', message = '', errorCode } = answer;
  const data = { ...call.data, ...answer.data };
  return { type: 'result', ...about, ...time, status, message, error_code: errorCode, data };
}
