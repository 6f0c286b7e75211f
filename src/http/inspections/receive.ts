import { RunnerError } from '../../errors.js';
import { RequestFault } from '../problem.js';
import { timedChunks, type BodyPace } from '../timed-body.js';
import type { Admitted } from './admission.js';

/** How a body is received. */
export interface Receiving {
  pace: BodyPace;
  maxBytes: number;
  /** Where its bytes are counted. */
  admitted: Admitted;
  /** Milliseconds that the request has in all, where it says so. */
  timeoutMs: number | undefined;
}

/**
 * The whole body of a request. With a declared length, it is written where it stays; without one, memory is taken as it
 * comes.
 *
 * @throws RequestFault `payload_too_large`, `bad_request`; RunnerError `queue_full`, `timeout`
 */
export async function receiveWhole(
  request: Request,
  { pace, maxBytes, admitted, timeoutMs }: Receiving,
): Promise<Uint8Array> {
  const tooLarge = () =>
    new RequestFault('payload_too_large', `The body is larger than the ${maxBytes} bytes this server takes`);
  const header = request.headers.get('content-length');
  const length = header === null ? undefined : Number(header);
  if (length !== undefined && length > maxBytes) throw tooLarge();
  if (length !== undefined) admitted.reserve(length);
  const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const bounds = { ...pace, maxBytes: length ?? maxBytes, tooLarge, stop: late };
  try {
    const chunks = timedChunks(request, bounds);
    return length === undefined ? await gather(chunks, admitted) : await fill(chunks, length);
  } catch (error) {
    if (timeoutMs === undefined || !late?.aborted || !RunnerError.is(error, 'aborted')) throw error;
    throw new RunnerError('timeout', `The body did not come within the ${timeoutMs} ms of the request`, {
      details: { timeoutMs, stage: 'receive' },
    });
  }
}

type Chunks = AsyncGenerator<Uint8Array, void, undefined>;

async function fill(chunks: Chunks, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at === length) return bytes;
  throw new RequestFault('bad_request', `content-length: tells ${length} bytes, and ${at} came`);
}

async function gather(chunks: Chunks, admitted: Admitted): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) {
    admitted.reserve(chunk.byteLength);
    all.push(chunk);
  }
  return Buffer.concat(all);
}
