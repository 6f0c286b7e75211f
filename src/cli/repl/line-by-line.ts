import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { REPLServer } from 'node:repl';
import { onAnswer } from './evaluation.js';

/**
 * For input that is no terminal. Node's REPL takes the next line of it while the `await` of the last one still waits: here
 * each line is handed on when the one before it has its answer, as a person would type them.
 */
export class LineByLine {
  readonly stream = new PassThrough();
  readonly #input: NodeJS.ReadableStream;
  #running: Promise<void> | undefined;
  #answered: (() => void) | undefined;

  constructor(input: NodeJS.ReadableStream) {
    this.#input = input;
  }

  /** Begins, now that there is a session that reads from {@link LineByLine.stream}. */
  feed(session: REPLServer): void {
    const begun = () => {
      this.#running = new Promise((resolve) => (this.#answered = resolve));
    };
    onAnswer(session, () => this.#answered?.(), begun);
    void this.#feed(session);
  }

  async #feed(session: REPLServer): Promise<void> {
    const leaving = { over: false };
    void once(session, 'exit').then(() => (leaving.over = true));
    for await (const line of createInterface({ input: this.#input })) {
      if (leaving.over) break;
      this.stream.write(`${line}\n`);
      await setImmediate(); // the session reads the line; it evaluates none that is empty or a command with a dot
      await this.#running;
    }
    this.stream.end();
  }
}
