import { StringDecoder } from 'node:string_decoder';
import { FrameDecoder, type DecodedItem } from './frame-codec.js';
import { readMessage, type WorkerMessage } from './messages.js';

/** Where the parts of a worker's output go. */
export interface MessageListeners {
  /** A message, or a frame that was none (`fault`). */
  message: (message: WorkerMessage) => void;
  /** Text between frames. */
  stray: (text: string) => void;
}

/** Turns the bytes of a worker's stdout into messages. */
export class MessageReader {
  readonly #decoder: FrameDecoder;
  readonly #text = new StringDecoder('utf8');
  readonly #listeners: MessageListeners;

  constructor(maxFrameBytes: number, listeners: MessageListeners) {
    this.#decoder = new FrameDecoder(maxFrameBytes);
    this.#listeners = listeners;
  }

  push(chunk: Buffer): void {
    this.#pass(this.#decoder.push(chunk));
  }

  /** Nothing more comes: what was not finished is told of. */
  end(): void {
    this.#pass(this.#decoder.end());
    const rest = this.#text.end();
    if (rest !== '') this.#listeners.stray(rest);
  }

  #pass(items: DecodedItem[]): void {
    const { message, stray } = this.#listeners;
    for (const item of items) {
      if (item.kind === 'stray') stray(this.#text.write(item.bytes));
      else message(item.kind === 'fault' ? { ...item, type: 'fault' } : readMessage(item.body));
    }
  }
}
