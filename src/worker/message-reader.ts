import { FrameDecoder, type DecodedItem } from './frame-codec.js';
import { readMessage, type WorkerMessage } from './messages.js';
import { StrayRun } from './stray-run.js';
import type { StrayOutput } from './types.js';

/** Where the parts of a worker's output go. */
export interface MessageListeners {
  /** A message, or a frame that was none (`fault`). */
  message: (message: WorkerMessage) => void;
  /** Text between frames: one for all that came between two of them. */
  stray: (text: string, output: StrayOutput) => void;
}

/** Turns the bytes of a worker's stdout into messages. */
export class MessageReader {
  readonly #decoder: FrameDecoder;
  readonly #stray: StrayRun;
  readonly #listeners: MessageListeners;

  constructor(maxFrameBytes: number, listeners: MessageListeners) {
    this.#decoder = new FrameDecoder(maxFrameBytes);
    this.#listeners = listeners;
    this.#stray = new StrayRun({
      stray: listeners.stray,
      emptyFrame: () => {
        listeners.message({ type: 'fault', message: 'a frame of length 0', isLost: false });
      },
    });
  }

  push(chunk: Buffer): void {
    this.#pass(this.#decoder.push(chunk));
  }

  /** End of the stream: reports an unfinished message. */
  end(): void {
    this.#pass(this.#decoder.end());
    this.#stray.end();
  }

  #pass(items: DecodedItem[]): void {
    for (const item of items) {
      if (item.kind === 'stray') {
        this.#stray.add(item.bytes);
        continue;
      }
      this.#stray.end();
      this.#listeners.message(item.kind === 'fault' ? { ...item, type: 'fault' } : readMessage(item.body));
    }
  }
}
