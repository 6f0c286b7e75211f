import { spawn, type ChildProcess } from 'node:child_process';

/** A process that is talked to in frames of the worker protocol, without anything of the library: the comparator. */
export class BareAdapter {
  readonly child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: ((message: Record<string, unknown>) => void)[] = [];

  /** `unheard` are types of messages that are dropped; `more` are the worker's descriptors after stderr. */
  constructor(
    python: string,
    args: string[],
    {
      unheard = [],
      more = [],
      ...options
    }: { cwd: string; env?: NodeJS.ProcessEnv; unheard?: string[]; more?: ('ignore' | number)[] },
  ) {
    this.child = spawn(python, args, { ...options, stdio: ['pipe', 'pipe', 'ignore', ...more] });
    this.#exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      while (this.#bytes.length >= 4) {
        const end = 4 + this.#bytes.readUInt32BE(0);
        if (this.#bytes.length < end) return;
        const message = JSON.parse(this.#bytes.toString('utf8', 4, end)) as Record<string, unknown>;
        this.#bytes = this.#bytes.subarray(end);
        if (!unheard.includes(String(message.type))) this.#waiting.shift()?.(message);
      }
    });
  }

  /** The next message that comes. */
  next(): Promise<Record<string, unknown>> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Writes a message and gives the next one that comes. */
  ask(message: object): Promise<Record<string, unknown>> {
    const answer = this.next();
    const body = Buffer.from(JSON.stringify(message));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    this.child.stdin?.write(Buffer.concat([head, body]));
    return answer;
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exited;
  }
}
