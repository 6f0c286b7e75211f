import { lstat, lutimes, open, readdir, rename, unlink } from 'node:fs/promises';
import type * as Net from 'node:net';
import path from 'node:path';
import { nodeModule } from '../node-modules.js';

/**
 * State of a process. `unknown` when it lives where this process cannot see, or when it cannot be distinguished from
 * another process that reuses its id. The caller then looks at signs of life, such as a refreshed file.
 */
export type Liveness = 'alive' | 'dead' | 'unknown';

/** Where the sign of life of an owner is found, as the record of that owner tells it. */
export interface LifeMark {
  /** Name of a socket beside the record; on Windows the path of a named pipe. */
  name: string;
  /**
   * Device of the folder it lies in: the same folder by another mount is another device, and sockets do not reach across. Of no
   * meaning on Windows, where all of a machine see its named pipes, and Nodes differ in what they take for a device.
   */
  device: string;
}

/** A sign of life that is shown until it is closed, or until its process or its thread ends. */
export interface Life extends AsyncDisposable {
  readonly mark: LifeMark;
  /** Whether it can still be found; if so it is as if made now. Somebody may have removed its file. */
  refresh(): Promise<boolean>;
  /** Takes it away; twice is once. */
  close(): Promise<void>;
}

/** Longest path of a socket: 108 bytes with the NUL on Linux, 104 on macOS (unix(7)). */
const LONGEST_PATH_BYTES = 103;

/** A sign that is being made. */
const MAKING = /^\.[0-9a-f]{8}\.new$/;
const MOST_ATTEMPTS = 3;
/** Whether something listens is answered at once, whatever the listener does; only a pipe without room makes one wait. */
const WAITING_MS = 1_000;

/** Longest name of a sign of life: with the way to its folder it must be the path of a socket. */
export const LONGEST_LIFE_NAME = 84;

/**
 * Shows that this process lives, by a socket that listens in `folder` under `name`. The kernel closes it with the
 * process, or with the thread, that listens, and answers for a process that is stopped or busy. Who connects needs to see
 * neither the pid nor the host name: other PID namespaces and containers on the same kernel get the same answer. A file
 * lock of the kernel would do too, but Node has none.
 *
 * @param name - at most {@link LONGEST_LIFE_NAME} bytes
 * @returns undefined where the file system has no sockets; others then look at the process
 * @throws the error of the system when the folder is missing
 */
export async function showLife(folder: string, name: string): Promise<Life | undefined> {
  const { device } = await deviceOf(folder);
  if (process.platform === 'win32') return listenOn(`\\\\.\\pipe\\procvision-${crypto.randomUUID()}`);
  const file = path.join(folder, name);
  for (let attempt = 1; ; attempt++) {
    // Renamed when it listens: under its final name the socket always listens.
    const temporary = `.${crypto.randomUUID().slice(0, 8)}.new`;
    const server = await at(folder, temporary, listen).catch(() => undefined);
    if (!server) return undefined;
    try {
      await rename(path.join(folder, temporary), file);
      return lifeOf(server, { name, device }, file);
    } catch (error) {
      await closeServer(server);
      await removeSign(path.join(folder, temporary));
      // A sweep may have seen it in the moment before it listened.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === MOST_ATTEMPTS) throw error;
    }
  }

  async function listenOn(pipe: string): Promise<Life | undefined> {
    const piped = await listen(pipe).catch(() => undefined);
    return piped && lifeOf(piped, { name: pipe, device });
  }
}

/** Removes what processes left in a folder that died while they made their signs there. */
export async function sweepSigns(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!MAKING.test(name) || (await at(folder, name, answer).catch(() => 'unknown')) !== 'dead') continue;
    await removeSign(path.join(folder, name));
  }
}

/**
 * Whether the owner of a sign of life lives. `unknown` when that cannot be seen from here: the folder is seen by
 * another mount, or cannot be read. The caller knows that the owner ran on this very kernel.
 */
export async function lifeAt(
  folder: string,
  { name, device }: LifeMark,
  platform: NodeJS.Platform = process.platform,
): Promise<Liveness> {
  try {
    if (platform === 'win32') return await answer(name);
    if ((await deviceOf(folder)).device !== device) return 'unknown';
    return await at(folder, name, answer);
  } catch {
    return 'unknown';
  }
}

function lifeOf(server: Net.Server, mark: LifeMark, file?: string): Life {
  let closed: Promise<void> | undefined;
  const close = () =>
    (closed ??= (async () => {
      await closeServer(server);
      if (file !== undefined) await removeSign(file).catch(() => undefined);
    })());
  const refresh = async () => {
    if (closed || file === undefined) return closed === undefined;
    const now = new Date();
    return lutimes(file, now, now).then(
      () => true,
      () => false,
    );
  };
  return { mark, refresh, close, [Symbol.asyncDispose]: close };
}

/**
 * Removes the socket of a sign of life; absent is fine. Not `fs.rm`: that one leaves what it saw of the file in an array
 * that all of Node shares, and after a socket Node's module loader takes a symbolic link for what it leads to
 * (`realpathSync`, seen with Node 20.20). The next import of a package that is linked, as pnpm does, then fails.
 */
export async function removeSign(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
}

async function deviceOf(folder: string): Promise<{ device: string }> {
  return { device: String((await lstat(folder)).dev) };
}

async function listen(address: string): Promise<Net.Server> {
  const { createServer } = nodeModule('node:net') as typeof Net; // not a matter of the library's start
  const server = createServer((caller) => caller.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Exclusive: in a worker of node:cluster the primary would listen in its place.
    server.listen({ path: address, exclusive: true, readableAll: true, writableAll: true }, resolve);
  });
  server.on('error', () => undefined);
  return server.unref();
}

function closeServer(server: Net.Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}

/**
 * Nobody listens (ECONNREFUSED) or the file went with its thread (ENOENT): dead. A full queue (EAGAIN): alive. A named pipe
 * takes four callers before its process has to look after them; the next one waits for up to 30 s (libuv), which it would
 * not do without such a pipe.
 */
async function answer(address: string): Promise<Liveness> {
  const { connect } = nodeModule('node:net') as typeof Net;
  return new Promise((resolve) => {
    const caller = connect(address);
    const end = (liveness: Liveness) => {
      clearTimeout(timer);
      caller.destroy();
      resolve(liveness);
    };
    const timer = setTimeout(() => {
      end('alive');
    }, WAITING_MS);
    caller.once('connect', () => {
      end('alive');
    });
    caller.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED' || code === 'ENOENT') end('dead');
      else end(code === 'EAGAIN' || code === 'EBUSY' ? 'alive' : 'unknown');
    });
  });
}

/** Works on a socket whose path may be too long for the system: by the open folder then, where it has such paths (Linux). */
async function at<T>(folder: string, name: string, work: (address: string) => Promise<T>): Promise<T> {
  const address = path.join(folder, name);
  if (Buffer.byteLength(address) <= LONGEST_PATH_BYTES) return work(address);
  const handle = await open(folder, 'r');
  try {
    const short = `/proc/self/fd/${handle.fd}/${name}`;
    // A longer one would be cut, silently (libuv before 1.46).
    if (Buffer.byteLength(short) > LONGEST_PATH_BYTES) throw new Error(`${name} is too long for a socket`);
    return await work(short);
  } finally {
    await handle.close();
  }
}
