import { listenForAbort, throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import { RequestFault } from './problem.js';

/** How a body may arrive. */
export interface BodyPace {
  /** Longest time without a byte, in milliseconds. */
  idleMs: number;
  /** Bytes a second that must arrive on average, counted once `idleMs` was spent waiting. */
  leastRate: number;
}

/** How much of a body is taken, and how it may arrive. */
export interface BodyBounds extends BodyPace {
  maxBytes: number;
  /** The refusal of a longer one. */
  tooLarge: () => RequestFault;
  /** Ends the reading at once, also while it waits. */
  stop?: AbortSignal;
}

/**
 * The chunks of a request's body, bounded and timed from the first byte. Only the time that is spent waiting for the
 * sender counts: a disk of ours that is slow is not the sender's fault.
 *
 * @throws RequestFault `payload_too_large`, `bad_request` when it is cut off; RunnerError `timeout` with the stage
 * `receive`
 */
export async function* timedChunks(
  request: Request,
  { idleMs, leastRate, maxBytes, tooLarge, stop }: BodyBounds,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  if (!request.body) return;
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  let received = 0;
  let waitedMs = 0;
  let isWhole = false;
  const sender = { isAwaited: false, hasStopped: false };
  const cancel = () => {
    reader.cancel().catch(() => undefined);
  };
  // One timer for all chunks, and a cancelled reader has no next one: a race for each chunk takes longer than to copy it.
  const idle = setTimeout(() => {
    if (!sender.isAwaited) return;
    sender.hasStopped = true;
    cancel();
  }, idleMs);
  if (stop) listenForAbort(stop, cancel);
  try {
    for (;;) {
      throwIfAborted(stop, 'reading of the body');
      const startedAt = performance.now();
      sender.isAwaited = true;
      idle.refresh();
      const next = await reader.read();
      sender.isAwaited = false;
      waitedMs += performance.now() - startedAt;
      throwIfAborted(stop, 'reading of the body');
      if (sender.hasStopped) throw stopped(idleMs, received);
      if (next.done) {
        isWhole = true;
        return;
      }
      received += next.value.byteLength;
      if (received > maxBytes) throw tooLarge();
      if (waitedMs > idleMs && received < (leastRate * waitedMs) / 1000) {
        throw tooSlow(received, waitedMs, leastRate);
      }
      yield next.value;
    }
  } catch (error) {
    if (error instanceof RequestFault || RunnerError.is(error)) throw error;
    throw new RequestFault('bad_request', `The body was cut off: ${(error as Error).message}`);
  } finally {
    clearTimeout(idle);
    // What still comes is thrown away by the server, so that the sender comes to read the answer.
    if (!isWhole) cancel();
    stop?.removeEventListener('abort', cancel);
  }
}

function stopped(idleMs: number, received: number): RunnerError {
  const message = `The body stopped: nothing came for ${idleMs} ms after ${received} bytes`;
  return new RunnerError('timeout', message, { details: { timeoutMs: idleMs, stage: 'receive' } });
}

function tooSlow(received: number, waitedMs: number, leastRate: number): RunnerError {
  const message =
    `The body came too slowly: ${received} bytes in ${Math.round(waitedMs)} ms, ` +
    `where ${leastRate} bytes a second are the least`;
  return new RunnerError('timeout', message, {
    details: { timeoutMs: Math.round(waitedMs), stage: 'receive', leastRate },
  });
}
