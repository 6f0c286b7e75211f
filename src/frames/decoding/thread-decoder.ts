import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { abortError, listenForAbort, throwIfAborted } from '../../abort.js';
import { assetPath } from '../../assets.js';
import { RunnerError } from '../../errors.js';
import type { EncodedPicture } from '../encoded-input.js';
import { invalidImage } from '../image-meta.js';
import { closedError } from '../pool-closed.js';

/** What a thread answers, see thread.mjs: `fault` is of the picture, `failure` of the decoder. */
type Answer = { pixels: Uint8Array } | { isWhole: true } | { fault: string } | { failure: string };

type Task = 'decode' | 'check';

/** Threads that decode at once, at most: each holds 50 MB of memory of its codec. */
const MOST_THREADS = 4;

/**
 * Decodes JPEG and PNG in threads of its own, so that the host's loop is free: made when they are needed, kept for the next
 * picture, ended with the pool. An idle thread does not keep the process.
 */
export class ThreadDecoder {
  readonly #most = Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  /**
   * The pixels, height x width x channels.
   *
   * @throws RunnerError `invalid_image` for a damaged picture, `unsupported_image` when there is no decoder, `aborted`,
   * `closed`
   */
  async decode(picture: EncodedPicture, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const answer = await this.#ask(picture, 'decode', signal);
    return 'pixels' in answer ? answer.pixels : new Uint8Array(0);
  }

  /** Only looks whether the scans of a JPEG, or the chunks of a PNG, are whole. @throws RunnerError as {@link ThreadDecoder.decode} */
  async check(picture: EncodedPicture, signal: AbortSignal | undefined): Promise<void> {
    await this.#ask(picture, 'check', signal);
  }

  async #ask(picture: EncodedPicture, task: Task, signal: AbortSignal | undefined) {
    const thread = await this.#take(signal);
    // An abandoned decode still occupies its thread.
    const giveUp = () => void thread.terminate();
    if (signal) listenForAbort(signal, giveUp);
    let answer: Answer | undefined;
    try {
      answer = await ask(thread, picture, task);
    } finally {
      signal?.removeEventListener('abort', giveUp);
      if (answer && !signal?.aborted) this.#giveBack(thread);
      else this.#drop(thread);
    }
    throwIfAborted(signal, 'decode a picture');
    if (this.#isClosed) throw closedError();
    if ('fault' in answer) throw damaged(picture, answer.fault);
    if (!('failure' in answer)) return answer;
    throw new RunnerError(
      'unsupported_image',
      `No ${picture.format} can be decoded here: ${answer.failure}. Is the installation of procvision-runner whole? ` +
        'Pixels that are handed over as { data } need no decoder',
    );
  }

  /** Ends all threads; what they are at ends with `closed`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const wake of this.#waiting) wake();
    await Promise.all([...this.#all].map((thread) => thread.terminate()));
  }

  async #take(signal: AbortSignal | undefined): Promise<Worker> {
    for (;;) {
      throwIfAborted(signal, 'decode a picture');
      if (this.#isClosed) throw closedError();
      const idle = this.#idle.pop();
      if (idle) return idle;
      if (this.#all.size < this.#most) return this.#make();
      await this.#anotherOrAbort(signal);
    }
  }

  #make(): Worker {
    // Without the arguments and the environment of the host's process: a loader of its own is none of the thread's.
    const thread = new Worker(assetPath('frames/decoding/thread.mjs'), { execArgv: [], env: {} });
    this.#all.add(thread);
    thread.once('exit', () => this.#drop(thread));
    return thread;
  }

  #giveBack(thread: Worker): void {
    if (this.#all.has(thread) && !this.#isClosed) {
      thread.unref();
      this.#idle.push(thread);
    }
    this.#wakeOne();
  }

  #drop(thread: Worker): void {
    this.#all.delete(thread);
    const index = this.#idle.indexOf(thread);
    if (index !== -1) this.#idle.splice(index, 1);
    void thread.terminate();
    this.#wakeOne();
  }

  #wakeOne(): void {
    const [wake] = this.#waiting;
    wake?.();
  }

  #anotherOrAbort(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const wake = () => {
        end(resolve);
      };
      const onAbort = () => {
        end(() => {
          if (signal) reject(abortError(signal, 'decode a picture'));
        });
      };
      this.#waiting.add(wake);
      if (signal) listenForAbort(signal, onAbort);
    });
  }
}

/** What is wrong with a picture, found when it was decoded. */
export function damaged({ format, title }: EncodedPicture, fault: string): RunnerError {
  return invalidImage(`${title} is a ${format} that ${fault}. Take or send it again`, title);
}

/** Hands a copy of the bytes over: the caller's bytes may be part of a larger buffer, and must not be transferred. */
function ask(thread: Worker, { layout: _, bytes, ...header }: EncodedPicture, task: Task): Promise<Answer> {
  return new Promise<Answer>((resolve) => {
    const copy = new Uint8Array(bytes);
    const done = (answer: Answer) => {
      thread.off('message', done).off('error', onError).off('exit', onExit);
      resolve(answer);
    };
    const onError = (error: Error) => {
      done({ failure: error.message });
    };
    const onExit = () => {
      done({ failure: 'the thread that decodes has ended' });
    };
    thread.on('message', done).on('error', onError).on('exit', onExit);
    thread.ref();
    thread.postMessage({ ...header, task, bytes: copy }, [copy.buffer]);
  });
}
