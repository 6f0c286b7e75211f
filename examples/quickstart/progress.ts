import type { WriteStream } from 'node:tty';

/** A progress bar on a terminal; elsewhere one plain line for each stage. */
export class ProgressLine {
  readonly #out: WriteStream;
  #stage = '';
  #fraction = 0;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  enter(stage: string): void {
    this.#stage = stage;
    if (this.#out.isTTY) this.#draw();
    else this.#out.write(`  ${stage}\n`);
  }

  /** `fraction` from 0 to 1. */
  advance(fraction: number): void {
    this.#fraction = fraction;
    if (this.#out.isTTY) this.#draw();
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[2K');
  }

  #draw(): void {
    const done = Math.round(this.#fraction * 28);
    const bar = '█'.repeat(done) + '░'.repeat(28 - done);
    const percent = String(Math.round(this.#fraction * 100)).padStart(3);
    this.#out.write(`\r\u001b[2K  ${bar} ${percent} %  ${this.#stage}`);
  }
}
