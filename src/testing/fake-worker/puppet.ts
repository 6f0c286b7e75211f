import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Order, Report } from './orders.js';

/** A message as it came over the wire; undefined at the end of the input. */
export type ReadMessage = Record<string, unknown> | undefined;

/** The other end of a process of a FakeWorker: gives it orders and hears its reports. */
export class Puppet {
  /** Its first report. */
  readonly arrival: Extract<Report, { kind: 'here' }>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  #hasEnded = false;
  #onRead: ((message: ReadMessage) => void) | undefined;

  private constructor(socket: Socket, arrival: Puppet['arrival']) {
    this.#socket = socket;
    this.arrival = arrival;
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.#hasEnded = true;
        this.#heard(undefined);
        resolve();
      });
    });
  }

  /** Calls back once the process at the other end of a socket has said who it is. */
  static greet(socket: Socket, arrived: (puppet: Puppet) => void): void {
    socket.on('error', () => undefined); // 'close' follows
    let puppet: Puppet | undefined;
    const lines = createInterface({ input: socket });
    lines.on('error', () => undefined); // it tells the socket's errors once more
    lines.on('line', (line) => {
      const report = JSON.parse(line) as Report;
      if (report.kind === 'here') arrived((puppet = new Puppet(socket, report)));
      else if (puppet) puppet.#heard(report.message);
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Does nothing once the process has ended. */
  order(order: Order): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(order)}\n`);
  }

  /** Lets it read one message. Also undefined when it ends during the read. */
  read(): Promise<ReadMessage> {
    return new Promise((resolve) => {
      this.#onRead = resolve;
      this.order({ do: 'read' });
      if (this.#hasEnded) resolve(undefined);
    });
  }

  #heard(message: ReadMessage): void {
    this.#onRead?.(message);
    this.#onRead = undefined;
  }

  /** Ends it whatever it does. */
  async kill(): Promise<void> {
    try {
      if (!this.#hasEnded) process.kill(this.arrival.pid, 'SIGKILL');
    } catch {
      // it has ended in this moment
    }
    await this.ended;
  }
}
