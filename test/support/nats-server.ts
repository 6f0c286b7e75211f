import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { type FleetConnectOptions, type FleetServerConnection, connectFleet } from '../../src/fleet/index.js';
import { type NatsServerProcess, startNatsServer } from '../../src/fleet/server/server-process.js';
import { natsServer, NO_SERVER } from './find-nats-server.js';
import { temporaryFolder } from './temp-folder.js';

export { natsServer, NO_SERVER };

/** A server with JetStream in a folder of the test, which can be started again on the same port. */
export class TestServer {
  readonly #binary: string;
  readonly #folder: string;
  readonly #more: string;
  #process: NatsServerProcess;
  #port: string;

  private constructor(binary: string, folder: string, more: string, started: NatsServerProcess) {
    this.#binary = binary;
    this.#folder = folder;
    this.#more = more;
    this.#process = started;
    this.#port = new URL(started.url).port;
  }

  /** `more` is added to its configuration. It ends with the test. */
  static async start(more = ''): Promise<TestServer> {
    const binary = await natsServer();
    if (binary === undefined) throw new Error(NO_SERVER);
    const folder = await temporaryFolder();
    const started = await launch(binary, folder, more, '-1');
    const server = new TestServer(binary, folder, more, started);
    onTestFinished(() => server.stop('SIGKILL'));
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return Number(this.#port);
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#process.stop(signal);
  }

  async restart(more = this.#more): Promise<void> {
    this.#process = await launch(this.#binary, this.#folder, more, this.#port);
  }

  /** A connection that ends with the test; it waits for the line unless it is told otherwise. */
  async connect(o: Partial<FleetConnectOptions> = {}): Promise<FleetServerConnection> {
    const connection = await connectFleet({
      servers: [this.url],
      name: 'test',
      waitMs: 10_000,
      ...o,
    });
    onTestFinished(() => connection.close());
    return connection;
  }
}

async function launch(
  binary: string,
  folder: string,
  more: string,
  port: string,
): Promise<NatsServerProcess> {
  const file = path.join(folder, 'server.conf');
  const lines = [`listen: "127.0.0.1:${port}"`, `jetstream { store_dir: ${JSON.stringify(folder)} }`, more];
  await writeFile(file, lines.join('\n'));
  return startNatsServer(binary, file);
}
