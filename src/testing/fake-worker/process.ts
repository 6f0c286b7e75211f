import type { Puppet, ReadMessage } from './puppet.js';
import type { FakeProcess } from './types.js';

const LENGTH_BYTES = 4;

/** A process as a script sees it. */
export class PuppetProcess implements FakeProcess {
  readonly index: number;
  readonly messages: Record<string, unknown>[] = [];
  readonly #puppet: Puppet;
  readonly #hello: object;
  #isDeaf = false;

  constructor(puppet: Puppet, index: number, hello: object) {
    this.#puppet = puppet;
    this.#hello = hello;
    this.index = index;
  }

  get processId(): number {
    return this.#puppet.arrival.pid;
  }

  get pid(): number {
    return this.processId;
  }

  get parent(): number {
    return this.#puppet.arrival.parent;
  }

  get directory(): string {
    return this.#puppet.arrival.directory;
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#puppet.arrival.environment;
  }

  get hasEnded(): boolean {
    return this.#puppet.hasEnded;
  }

  get ended(): Promise<void> {
    return this.#puppet.ended;
  }

  hello(fields: Record<string, unknown> = {}): void {
    this.send({ ...this.#hello, timestamp_ms: Date.now(), ...fields });
  }

  send(message: object): void {
    this.write(this.frame(message));
  }

  frame(message: object | string): Buffer {
    const body = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  }

  write(bytes: Uint8Array): void {
    this.#puppet.order({ do: 'output', bytes: Buffer.from(bytes).toString('base64') });
  }

  print(text: string): void {
    this.write(Buffer.from(text));
  }

  log(level: string, message: string, fields: Record<string, unknown> = {}): void {
    this.printError(`${JSON.stringify({ level, timestamp_ms: Date.now(), message, ...fields })}\n`);
  }

  printError(text: string): void {
    this.#puppet.order({ do: 'log', text });
  }

  closeOutput(): void {
    this.#puppet.order({ do: 'close-output' });
  }

  ignore(signal: NodeJS.Signals): void {
    this.#puppet.order({ do: 'ignore', signal });
  }

  hang(): void {
    this.#isDeaf = true;
  }

  exit(code = 0): Promise<void> {
    this.#puppet.order({ do: 'exit', code });
    return this.ended;
  }

  die(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#puppet.order({ do: 'die', signal });
    return this.ended;
  }

  /** The next message; undefined at the end of the input. Resolves never once it hangs, also with what it had begun to read. */
  async read(): Promise<ReadMessage> {
    const message = this.#isDeaf ? undefined : await this.#puppet.read();
    if (this.#isDeaf) return new Promise(() => undefined);
    if (message) this.messages.push(message);
    return message;
  }
}
