import type { DescriptorChannel } from '../frames/descriptor-channel.js';
import type { RunnerError } from '../errors.js';
import type { Generation } from '../package/types.js';
import { givenProductId } from '../product-ids.js';
import { CallPictures, type Losses } from './call-pictures.js';
import { encodeFrame } from './frame-codec.js';
import { callData } from './generations.js';
import type { KeptMemory } from './kept-memory.js';
import { PendingCall } from './pending-call.js';
import type { NumberedCall, WorkerLog, WorkerReply } from './types.js';

/** How a message gets to its worker. */
export interface Sending {
  losses: Losses;
  /** Of the frames of the worker. */
  folder: string;
  write: (frame: Buffer) => unknown;
  /** Ends a worker that cannot be helped. */
  kill: (reason: string) => void;
}

interface OutgoingCall {
  wire: object;
  pending: PendingCall;
  pictures: CallPictures;
  isOver: boolean;
}

/** What a message is made with. */
export interface Encoding {
  generation: Generation;
  channel: DescriptorChannel | undefined;
  /** Of a worker that keeps what it was handed (`kept_memory` in its hello). */
  kept?: KeptMemory | undefined;
  /** Folder of the version. */
  root: string;
  maxFrameBytes: number;
}

/** Calls that go to a worker in one frame: one, or several (`batch` in its hello), each of which is answered by itself. */
export class OutgoingCalls {
  readonly pending: readonly PendingCall[];
  readonly #calls: OutgoingCall[];
  readonly #frame: Buffer;
  readonly #maxFrameBytes: number;
  readonly #form: 'whole' | 'part' | 'last';
  readonly #ended: (call: PendingCall) => void;
  #left: number;
  #written: Promise<void> | undefined;

  /**
   * `form`: the whole message, a part of it that others follow (`batch_parts` in the hello), or the last part. `ended`: a call
   * has ended.
   *
   * @throws RunnerError `unsupported_phase`, `invalid_params` for what cannot be sent
   */
  constructor(
    calls: readonly NumberedCall[],
    form: 'whole' | 'part' | 'last',
    o: Encoding,
    ended: (call: PendingCall) => void,
  ) {
    this.#maxFrameBytes = o.maxFrameBytes;
    this.#form = form;
    this.#ended = ended;
    this.#left = calls.length;
    this.#calls = calls.map(({ call, requestId }) => {
      const data = callData(o.generation, call);
      const pictures = new CallPictures(call, o);
      const { traceparent } = call;
      const wire = { type: 'call', request_id: requestId, data, pictures: pictures.wire, traceparent };
      const onEnd = () => {
        this.#onEnd(pending);
      };
      const pending: PendingCall = new PendingCall(requestId, pictures.expected, onEnd, o.kept);
      return { wire, pending, pictures, isOver: false };
    });
    this.pending = this.#calls.map(({ pending }) => pending);
    this.#frame = this.#encode();
  }

  /** When it is written; undefined when it is. */
  get written(): Promise<void> | undefined {
    return this.#written;
  }

  /**
   * Writes the frame once all pictures are where the worker finds them, and after what is written `before`; gives the answer of
   * each call.
   */
  send(sending: Sending, before?: Promise<void>): Promise<WorkerReply>[] {
    if (!before && !this.#needFiles) {
      this.#write(this.#frame, sending);
      return this.pending.map(({ reply }) => reply);
    }
    this.#written = this.#deliver(sending, before);
    return this.#calls.map((call) => this.#whenCleanedUp(call));
  }

  get #needFiles(): boolean {
    for (const { pictures } of this.#calls) if (pictures.needFiles) return true;
    return false;
  }

  /** A call whose picture cannot be written is not sent; the others are. */
  async #deliver(sending: Sending, before: Promise<void> | undefined): Promise<void> {
    await before;
    for (const { pictures, pending } of this.#calls) {
      try {
        await pictures.deliver(sending.folder);
      } catch (error) {
        pending.fail(error as RunnerError);
      }
    }
    if (this.#left === this.#calls.length) this.#write(this.#frame, sending);
    else if (this.#left > 0 || this.#form === 'last') this.#write(this.#encode(), sending);
  }

  #whenCleanedUp({ pending, pictures }: OutgoingCall): Promise<WorkerReply> {
    return pending.reply.finally(() => pictures.cleanUp());
  }

  #write(frame: Buffer, { write, kill }: Sending): void {
    for (const { pending, pictures, isOver } of this.#calls) {
      if (isOver || pictures.handOver(pending.requestId)) continue;
      kill('takes no pictures');
      return;
    }
    write(frame);
  }

  #encode(): Buffer {
    const calls = this.#calls.filter(({ isOver }) => !isOver).map(({ wire }) => wire);
    const [first] = calls;
    const isAlone = first !== undefined && this.#calls.length === 1 && this.#form === 'whole';
    const message = isAlone ? first : { type: 'batch', calls, more: this.#form === 'part' || undefined };
    return encodeFrame(message, this.#maxFrameBytes);
  }

  #onEnd(pending: PendingCall): void {
    const call = this.#calls.find((one) => one.pending === pending);
    if (!call || call.isOver) return;
    call.isOver = true;
    this.#left--;
    this.#ended(pending);
  }
}

/** What the logs of the time are about: one call, or the product id and the step of several. `isWhole`: no others follow them. */
export function aboutOf(
  calls: readonly NumberedCall[],
  isWhole: boolean,
): Pick<WorkerLog, 'requestId' | 'productId' | 'stepIndex'> {
  const [first] = calls;
  if (!first) return {};
  const { stepIndex } = first.call;
  const productId = givenProductId('worker.call({ productId })', first.call);
  const about: Pick<WorkerLog, 'requestId' | 'productId' | 'stepIndex'> = {};
  if (calls.length === 1 && isWhole) about.requestId = first.requestId;
  if (productId) about.productId = productId;
  if (stepIndex !== undefined) about.stepIndex = stepIndex;
  return about;
}
