/** What servers are asked with: kept connections of Node's own client. */
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export class HttpClient {
  readonly #agent = new http.Agent({ keepAlive: true });

  constructor(readonly port: number) {}

  post(path: string, body: Uint8Array | string, headers: Record<string, string> = {}): Promise<string> {
    return this.#ask('POST', path, headers, body);
  }

  get(path: string): Promise<string> {
    return this.#ask('GET', path);
  }

  #ask(method: string, path: string, headers = {}, body?: Uint8Array | string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = http.request({
        ...{ host: '127.0.0.1', port: this.port, agent: this.#agent, method, path },
        headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
      });
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => {
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`HTTP ${response.statusCode ?? '?'}: ${text.slice(0, 500)}`));
        });
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A port of this machine that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Asks until there is an answer, or until the server has ended. The limit of the case is the limit of this. */
export async function untilAnswered<T>(ask: () => Promise<T>, ended: Promise<never>): Promise<T> {
  const isOver = { value: false };
  const end = ended.catch((error: unknown) => {
    isOver.value = true;
    throw error;
  });
  const answered = async () => {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (isOver.value) throw error;
        await sleep(5);
      }
    }
  };
  return Promise.race([answered(), end]);
}
