import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { assetPath } from '../../assets.js';
import { Puppet } from './puppet.js';

/** Where processes of one FakeWorker come to: a socket that only this user can reach. */
export class PuppetServer {
  /** Program and arguments that start a process which comes here. */
  readonly command: string[];
  /** An empty folder, as long as this is open. */
  readonly folder: string;
  readonly #server: Server;
  readonly #puppets = new Set<Puppet>();
  #isClosed = false;

  private constructor(server: Server, folder: string, address: string) {
    this.#server = server;
    this.folder = folder;
    this.command = [process.execPath, assetPath('testing/fake-worker/main.mjs'), address];
  }

  static async open(arrived: (puppet: Puppet) => void): Promise<PuppetServer> {
    const base = await mkdtemp(path.join(os.tmpdir(), 'pv-fake-')); // 0700
    const folder = path.join(base, 'root');
    await mkdir(folder);
    const address =
      process.platform === 'win32' ? `\\\\.\\pipe\\pv-fake-${randomUUID()}` : path.join(base, 'socket');
    const server = createServer();
    const opened = new PuppetServer(server, folder, address);
    server.on('connection', (socket) => {
      socket.unref();
      Puppet.greet(socket, (puppet) => {
        opened.#puppets.add(puppet);
        void puppet.ended.then(() => opened.#puppets.delete(puppet));
        if (opened.#isClosed) void puppet.kill();
        else arrived(puppet);
      });
    });
    server.listen(address);
    await once(server, 'listening');
    server.unref(); // an unclosed server keeps no process alive
    return opened;
  }

  /** Ends every process that is left, and waits for that. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#puppets].map((puppet) => puppet.kill()));
    this.#server.close();
    await rm(path.dirname(this.folder), { recursive: true, force: true, maxRetries: 3 });
  }
}
