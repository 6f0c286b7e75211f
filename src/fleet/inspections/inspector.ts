import { settleOrAbort, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { describe } from '../../options.js';
import { lineOf } from '../nats/connection.js';
import { natsError } from '../nats/errors.js';
import type { Line, Session } from '../nats/line.js';
import { inspectSubject } from '../nats/permissions.js';
import type { FleetConnection } from '../ports.js';
import { digestOf } from './fetch-picture.js';
import { PictureOffer } from './offer.js';
import { doors, type InspectorOptions, type RemoteInspectOptions } from './options.js';
import { CALL_HEADER, callHeader, type PictureAt, readAnswer, type RemoteAnswer } from './wire.js';

/** Room for headers and subject in a message beside the picture. */
const HEADER_BYTES = 64 * 1_024;
/** The station answers at the deadline itself: its answer is on the way a little longer. */
const ANSWER_MS = 500;

/** Inspects on the stations of a plant. */
export interface RemoteInspector {
  /**
   * Has a picture (JPEG, PNG and what else a station decodes) inspected by a station that serves the product id. It is asked once: a call that
   * got no answer may have been made.
   *
   * @param picture - its bytes; or where it lies, for a picture that a server has already
   * @throws RunnerError `no_responders` at once where nobody serves the product id, `timeout`, `unreachable`, `denied`, `invalid_params`,
   *   and what the station's own call throws, with its code
   */
  inspect(
    productId: string,
    picture: Uint8Array | PictureAt,
    options?: RemoteInspectOptions,
  ): Promise<RemoteAnswer>;
  /** Ends the server of large pictures. The connection stays the caller's. */
  close(): Promise<void>;
}

/** @throws RunnerError `invalid_params` */
export async function openInspector(
  connection: FleetConnection,
  options: InspectorOptions,
): Promise<RemoteInspector> {
  doors().open.check(options);
  const line = lineOf(connection, 'openInspector()');
  const offer = options.offer && (await PictureOffer.listen(options.offer));
  return new NatsInspector(line, options.plant, offer);
}

class NatsInspector implements RemoteInspector {
  readonly #line: Line;
  readonly #plant: string;
  readonly #offer: PictureOffer | undefined;

  constructor(line: Line, plant: string, offer: PictureOffer | undefined) {
    this.#line = line;
    this.#plant = plant;
    this.#offer = offer;
  }

  async inspect(
    productId: string,
    picture: Uint8Array | PictureAt,
    o: RemoteInspectOptions = {},
  ): Promise<RemoteAnswer> {
    doors().inspect.check(o);
    throwIfAborted(o.signal, 'inspection');
    const what = `inspection of ${productId}`;
    const session = this.#line.standing(what);
    const { at, payload, withdraw } = this.#place(session, picture);
    try {
      const { url, digest, sizeBytes: size } = at;
      const { timeoutMs = 10_000, stepIndex, userParams, target, traceparent, signal } = o;
      const call = callHeader({
        v: 1,
        product_id: productId,
        deadline_ms: timeoutMs,
        picture: { digest, size, ...(url !== undefined && { url }) },
        ...(stepIndex !== undefined && { step_index: stepIndex }),
        ...(userParams && { user_params: userParams }),
        ...(target && { target }),
      });
      const text = await this.#ask(session, {
        what,
        productId,
        call,
        payload,
        timeoutMs,
        traceparent,
        signal,
      });
      return readAnswer(text);
    } finally {
      withdraw();
    }
  }

  async close(): Promise<void> {
    await this.#offer?.close();
  }

  async #ask(session: Session, o: Asked): Promise<string> {
    const { what, productId, call, payload, timeoutMs, traceparent, signal } = o;
    const { transport } = this.#line.peers;
    const subject = inspectSubject(this.#plant, productId);
    const headers = transport.headers();
    headers.set(CALL_HEADER, call);
    if (traceparent !== undefined) headers.set('traceparent', traceparent);
    try {
      const request = session.nc.request(subject, payload, { timeout: timeoutMs + ANSWER_MS, headers });
      return (await settleOrAbort(signal, settleOrAbort(session.lost, request))).string();
    } catch (error) {
      throwIfAborted(signal, 'inspection');
      if (session.lost.aborted) throw this.#line.noLine(what);
      if (error instanceof transport.RequestError && error.isNoResponders()) {
        throw new RunnerError(
          'no_responders',
          `No station of ${this.#plant} answers inspections of ${productId}: none serves it, or those that do have no line`,
          { cause: error, details: { productIds: [productId] } },
        );
      }
      if (error instanceof transport.TimeoutError) {
        throw new RunnerError('timeout', `No answer to the ${what} in ${timeoutMs} ms`, {
          cause: error,
          details: { timeoutMs },
        });
      }
      throw natsError(this.#line.peers, error, { what, key: subject, timeoutMs });
    }
  }

  /** In the message, or at an address that the station fetches it from: the broker carries no large pictures. */
  #place(session: Session, picture: Uint8Array | PictureAt): Placed {
    if (!(picture instanceof Uint8Array)) {
      if (isPlace(picture)) return { at: picture, payload: new Uint8Array(), withdraw: () => undefined };
      throw new RunnerError(
        'invalid_params',
        `inspector.inspect(productId, picture): picture must be the bytes of a picture, or { url, digest, sizeBytes }, not ${describe(picture)}`,
        { details: { path: 'picture' } },
      );
    }
    const most = (session.nc.info?.max_payload ?? 2 ** 20) - HEADER_BYTES;
    if (picture.length <= most) {
      const at = { digest: digestOf(picture), sizeBytes: picture.length };
      return { at, payload: picture, withdraw: () => undefined };
    }
    if (!this.#offer) {
      throw new RunnerError(
        'invalid_params',
        `The picture has ${picture.length} bytes, and a message takes ${most}: open the inspector with offer: { host }, so that stations can fetch it, or give { url, digest, sizeBytes }`,
        { details: { path: 'offer' } },
      );
    }
    return { ...this.#offer.offer(picture), payload: new Uint8Array() };
  }
}

interface Asked {
  what: string;
  productId: string;
  call: string;
  payload: Uint8Array;
  timeoutMs: number;
  traceparent: string | undefined;
  signal: AbortSignal | undefined;
}

interface Placed {
  at: Omit<PictureAt, 'url'> & { url?: string };
  payload: Uint8Array;
  withdraw: () => void;
}

function isPlace(value: unknown): value is PictureAt {
  if (typeof value !== 'object' || value === null) return false;
  const { url, digest, sizeBytes } = value as Partial<PictureAt>;
  return typeof url === 'string' && /^[0-9a-f]{64}$/.test(digest ?? '') && Number.isInteger(sizeBytes);
}
