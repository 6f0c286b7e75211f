import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type * as Net from 'node:net';
import { nodeModule } from '../node-modules.js';

/** All that the pipe holds (log_pipe.py). */
const PIPE_BYTES = 1 << 18;

/** A pipe that a child has made, for its log (log_pipe.py) or for a worker that it has forked (fork_server.py). */
export class ChildPipe {
  readonly stream: Net.Socket;
  readonly #descriptor: number;

  private constructor(stream: Net.Socket, descriptor: number) {
    this.stream = stream;
    this.#descriptor = descriptor;
  }

  /**
   * Opens the child's pipe through /proc: Node gives a child sockets, which `/dev/stderr` does not open (open(2): ENXIO),
   * and has no pipe(2) of its own. Undefined where that cannot be: another system, no /proc, no right to.
   */
  static open(
    processId: number | undefined,
    descriptor: number,
    mode: 'read' | 'write' = 'read',
  ): ChildPipe | undefined {
    if (process.platform !== 'linux' || processId === undefined || descriptor < 0) return undefined;
    let file: number | undefined;
    try {
      const access = mode === 'read' ? constants.O_RDONLY : constants.O_WRONLY;
      file = openSync(`/proc/${processId}/fd/${descriptor}`, access | constants.O_NONBLOCK);
      if (!fstatSync(file).isFIFO()) throw new TypeError('not a pipe');
      // Loaded here: this module is part of the main entry, and most hosts start no child by a pipe of its own.
      const { Socket } = nodeModule('node:net') as typeof Net;
      const stream = new Socket({ fd: file, readable: mode === 'read', writable: mode === 'write' });
      stream.on('error', () => undefined);
      return new ChildPipe(stream, file);
    } catch {
      if (file !== undefined) closeSync(file);
      return undefined;
    }
  }

  /** Gives what the child wrote last, which is in the pipe whether the loop of a busy host came to it or not, and closes. */
  drain(take: (chunk: Buffer) => void): void {
    const { stream } = this;
    try {
      if (!stream.destroyed) {
        stream.removeAllListeners('data').pause();
        for (let chunk; (chunk = stream.read() as Buffer | null) !== null;) take(chunk);
        const buffer = Buffer.alloc(PIPE_BYTES);
        take(buffer.subarray(0, readSync(this.#descriptor, buffer)));
      }
    } catch {
      // EAGAIN: nothing is in it, and somebody still has it open
    }
    stream.destroy();
  }
}
