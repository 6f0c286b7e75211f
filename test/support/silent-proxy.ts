import { once } from 'node:events';
import net from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * A line that can go half open: while it is silent, no byte passes in either direction and neither end is told anything, as when packets
 * are dropped. A connection that was silent once stays so; new ones are taken when it speaks again.
 */
export class SilentProxy {
  readonly #server: net.Server;
  readonly #pairs = new Set<{ client: net.Socket; server: net.Socket; isSilent: boolean }>();
  #isSilent = false;
  #dropped = 0;

  private constructor(target: number) {
    this.#server = net.createServer((client) => {
      if (this.#isSilent) {
        client.on('error', () => undefined);
        client.pause();
        this.#pairs.add({ client, server: new net.Socket(), isSilent: true });
        return;
      }
      const server = net.connect(target, '127.0.0.1');
      const pair = { client, server, isSilent: false };
      this.#pairs.add(pair);
      const ends = [
        [client, server],
        [server, client],
      ] as const;
      for (const [from, to] of ends) {
        from.on('data', (bytes) => {
          const isAnswer = from === server && !bytes.includes('HMSG') && bytes.includes('"stream"');
          if (isAnswer && this.#dropped > 0) this.#dropped--;
          else if (!pair.isSilent) to.write(bytes);
        });
        from.on('close', () => {
          if (!pair.isSilent) to.destroy();
        });
        from.on('error', () => undefined);
      }
    });
  }

  static async start(target: number): Promise<SilentProxy> {
    const proxy = new SilentProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    onTestFinished(() => {
      for (const { client, server } of proxy.#pairs) {
        client.destroy();
        server.destroy();
      }
      proxy.#server.close();
    });
    return proxy;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  goSilent(): void {
    this.#isSilent = true;
    for (const pair of this.#pairs) pair.isSilent = true;
  }

  /** Loses the next answers to writes, and nothing else. */
  dropAnswers(count: number): void {
    this.#dropped = count;
  }

  speak(): void {
    this.#isSilent = false;
  }
}
