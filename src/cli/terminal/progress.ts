import type { Deployer, DeployerProgressEvent } from 'procvision-runner';
import type { CliHost } from '../host.js';

const BAR = 24;
/** Before that much is done, a guess of the time left says nothing. */
const LEAST_FRACTION = 0.05;

/** How far something is: a bar with bytes and the time left on a terminal, elsewhere one line for each stage. */
export class Progress {
  readonly #stream: CliHost['stderr'];
  readonly #isBar: boolean;
  readonly #startedAt = performance.now();
  #stage = '';
  #isDrawn = false;

  constructor(host: CliHost) {
    this.#stream = host.stderr;
    this.#isBar = host.stderr.isTTY === true;
  }

  /** Follows the operations of a deployer. */
  follow(deployer: Deployer): this {
    deployer.on('stage', ({ stage }) => {
      this.enter(stage);
    });
    deployer.on('progress', (event) => {
      this.#draw(event);
    });
    return this;
  }

  enter(stage: string): void {
    if (this.#stage === stage) return;
    this.#stage = stage;
    if (!this.#isBar) this.#stream.write(`${stage}\n`);
  }

  /** So many of so many are done. */
  count(done: number, total: number, what: string): void {
    if (this.#isBar) this.#write(`${bar(done / total)} ${done} of ${total}  ${what}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isDrawn) this.#stream.write('\r\u001b[2K');
    this.#isDrawn = false;
  }

  #draw({ fraction, doneBytes, totalBytes, stage }: DeployerProgressEvent): void {
    if (!this.#isBar) return;
    const percent = `${Math.round(fraction * 100)} %`.padStart(5);
    const bytes = totalBytes > 0 ? `  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : '';
    const elapsedMs = performance.now() - this.#startedAt;
    const leftMs = (elapsedMs / fraction) * (1 - fraction);
    const left = fraction >= LEAST_FRACTION && fraction < 1 ? `  ${formatTime(leftMs)} left` : '';
    this.#write(`${bar(fraction)} ${percent}  ${stage}${bytes}${left}`);
  }

  #write(line: string): void {
    const { columns = 80 } = this.#stream;
    this.#stream.write(`\r\u001b[2K${line.slice(0, columns - 1)}`);
    this.#isDrawn = true;
  }
}

function bar(fraction: number): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * BAR);
  return '█'.repeat(done) + '░'.repeat(BAR - done);
}

/** `12.3 MB`, in powers of 1,000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `850 ms`, `12.3 s`, `4 min`. */
export function formatTime(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return `${Math.round(milliseconds / 60_000)} min`;
}

/** A share of calls, 0 to 1: `12.5 %`. */
export function formatShare(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}
