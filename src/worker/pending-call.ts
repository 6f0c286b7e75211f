import { RunnerError } from '../errors.js';
import { checkProof, type ProvenImage } from '../frames/proof.js';
import type { KeptMemory } from './kept-memory.js';
import type { PictureReport, WorkerMessage } from './messages.js';
import type { WorkerReply } from './types.js';

/** The one call in flight. Ends once; `onEnd` runs before its promise settles. */
export class PendingCall {
  readonly requestId: string;
  readonly reply: Promise<WorkerReply>;
  /** How it has ended; undefined where it has failed. */
  end: 'answered' | 'picture lost' | undefined;
  readonly #sentAt = performance.now();
  readonly #onEnd: () => void;
  readonly #pictures: readonly ProvenImage[];
  readonly #report: PictureReport = { read: [], fault: undefined };
  readonly #kept: KeptMemory | undefined;
  #resolve!: (reply: WorkerReply) => void;
  #reject!: (error: RunnerError) => void;

  /** `pictures`: what the worker must report of them before its answer is passed on. `kept`: what it keeps, as far as it reads that. */
  constructor(requestId: string, pictures: readonly ProvenImage[], onEnd: () => void, kept?: KeptMemory) {
    this.requestId = requestId;
    this.#kept = kept;
    this.#pictures = pictures;
    this.#onEnd = onEnd;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.reply.catch(() => undefined); // it may fail while its pictures are still being written, when nobody looks yet
  }

  /** What the worker tells of the pictures of this request. A fault is never taken back. */
  note({ read, fault }: PictureReport): void {
    this.#report.read.push(...read);
    this.#report.fault ??= fault;
  }

  /**
   * A `result` or an `error` frame of this request. A status that is none is a contract violation, and an answer about
   * other pictures than those that were sent is none.
   */
  answer(message: WorkerMessage & { type: 'result' | 'error' }, title: string): void {
    if (message.pictures) this.note(message.pictures);
    if (this.#report.fault !== undefined) {
      this.#answerLost(this.#report.fault, message);
      return;
    }
    const isErrorFrame = message.type === 'error';
    const status = isErrorFrame ? 'ERROR' : message.status;
    if (status !== 'OK' && status !== 'ERROR') {
      this.fail(
        new RunnerError(
          'contract_violation',
          `${title} answered with status ${JSON.stringify(status)}, which is neither OK nor ERROR`,
          { details: { path: 'status', raw: message } },
        ),
      );
      return;
    }
    if (status === 'OK') {
      try {
        checkProof(this.#pictures, this.#report.read, title);
      } catch (error) {
        this.#kept?.forget();
        this.fail(error as RunnerError);
        return;
      }
    }
    const { message: text, errorCode, data } = message;
    const callMs = performance.now() - this.#sentAt;
    const reply: WorkerReply = {
      requestId: this.requestId,
      status,
      message: text,
      errorCode,
      exception: undefined,
      data,
      isErrorFrame,
      nonFinite: [],
      callMs,
    };
    if (message.type === 'error') {
      reply.exception = message.exception;
      if (message.raised) reply.raised = message.raised;
    } else {
      reply.nonFinite = message.nonFinite;
      if (message.bigIntegers.length > 0) reply.bigIntegers = message.bigIntegers;
    }
    if (message.metrics) reply.metrics = message.metrics;
    if (this.#pictures.length > 0) reply.pictures = [...this.#pictures];
    this.end = 'answered';
    this.#onEnd();
    this.#resolve(reply);
  }

  /** A picture could not be read: whatever the algorithm made of that is no verdict. */
  #answerLost(fault: string, { metrics }: WorkerMessage & { type: 'result' | 'error' }): void {
    this.#kept?.forget();
    this.end = 'picture lost';
    this.#onEnd();
    this.#resolve({
      ...{ requestId: this.requestId, status: 'ERROR', message: fault, errorCode: '1007', data: {} },
      ...{ isErrorFrame: true, isPictureLost: true, nonFinite: [], ...(metrics && { metrics }) },
      callMs: performance.now() - this.#sentAt,
    });
  }

  fail(error: RunnerError): void {
    this.#onEnd();
    this.#reject(error);
  }
}
