import { RunnerError } from '../errors.js';
import type { WorkerMessage } from './messages.js';
import type { WorkerReply } from './types.js';

/** The one call in flight. Ends once; `onEnd` runs before its promise settles. */
export class PendingCall {
  readonly requestId: string;
  readonly reply: Promise<WorkerReply>;
  readonly #sentAt = performance.now();
  readonly #onEnd: () => void;
  #resolve!: (reply: WorkerReply) => void;
  #reject!: (error: RunnerError) => void;

  constructor(requestId: string, onEnd: () => void) {
    this.requestId = requestId;
    this.#onEnd = onEnd;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A `result` or an `error` frame of this request. A status that is none is a contract violation. */
  answer(message: WorkerMessage & { type: 'result' | 'error' }, title: string): void {
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
    this.#onEnd();
    this.#resolve({
      requestId: this.requestId,
      status,
      message: message.message,
      errorCode: message.errorCode,
      exception: isErrorFrame ? message.exception : undefined,
      ...(isErrorFrame && message.raised && { raised: message.raised }),
      data: message.data,
      isErrorFrame,
      nonFinite: isErrorFrame ? [] : message.nonFinite,
      ...(!isErrorFrame && message.bigIntegers.length > 0 && { bigIntegers: message.bigIntegers }),
      ...(message.metrics && { metrics: message.metrics }),
      callMs: performance.now() - this.#sentAt,
    });
  }

  fail(error: RunnerError): void {
    this.#onEnd();
    this.#reject(error);
  }
}
