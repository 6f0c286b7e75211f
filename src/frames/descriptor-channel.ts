import type { MemoryCalls } from './memory-calls.js';

const AF_UNIX = 1;
/** Keeps messages apart, and tells when the other end is gone. */
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Header of a control message: its length, its level and its type (cmsg(3), 64 bits). */
const CONTROL_HEADER_BYTES = 16;
const DESCRIPTOR_BYTES = 4;
const LARGEST_MESSAGE = 65_536;

/**
 * Passes descriptors of memory to a worker (unix(7), SCM_RIGHTS), and takes what it says of them. The worker inherits its
 * end: neither a name in a folder nor a right on this process is needed, whatever namespaces the worker has.
 */
export class DescriptorChannel {
  /** For the worker to inherit; closed here by {@link DescriptorChannel.started}. */
  readonly workerEnd: number;
  readonly #calls: MemoryCalls;
  readonly #hostEnd: number;
  readonly #received = Buffer.allocUnsafe(LARGEST_MESSAGE);
  #isWorkerEndOpen = true;
  #isClosed = false;

  private constructor(calls: MemoryCalls, hostEnd: number, workerEnd: number) {
    this.#calls = calls;
    this.#hostEnd = hostEnd;
    this.workerEnd = workerEnd;
  }

  /** Undefined when the system gives no pair of sockets. */
  static open(calls: MemoryCalls): DescriptorChannel | undefined {
    const ends: number[] = [-1, -1];
    const isMade = calls.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) === 0;
    const [hostEnd = -1, workerEnd = -1] = ends;
    return isMade ? new DescriptorChannel(calls, hostEnd, workerEnd) : undefined;
  }

  /** The worker has its end: that of this process goes. */
  started(): void {
    if (!this.#isWorkerEndOpen) return;
    this.#isWorkerEndOpen = false;
    this.#calls.close(this.workerEnd);
  }

  /** Hands descriptors over without waiting. False when the worker is gone or takes none. */
  send(message: object, descriptors: readonly number[]): boolean {
    if (this.#isClosed) return false;
    const text = Buffer.from(JSON.stringify(message));
    const control = controlOf(descriptors);
    const header = {
      ...{ name: null, nameLength: 0, flags: 0 },
      ...{ parts: [{ base: text, length: text.length }], partCount: 1 },
      ...{ control, controlLength: control.length },
    };
    return this.#calls.sendmsg(this.#hostEnd, header, MSG_DONTWAIT | MSG_NOSIGNAL) === text.length;
  }

  /** What the worker has sent, each message as it came; never waits. */
  receive(): Buffer[] {
    const messages: Buffer[] = [];
    while (!this.#isClosed) {
      const length = Number(this.#calls.recv(this.#hostEnd, this.#received, LARGEST_MESSAGE, MSG_DONTWAIT));
      if (length <= 0) break;
      messages.push(Buffer.from(this.#received.subarray(0, length)));
    }
    return messages;
  }

  /** The worker is gone. */
  close(): void {
    this.started();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#calls.close(this.#hostEnd);
  }
}

function controlOf(descriptors: readonly number[]): Buffer {
  const length = CONTROL_HEADER_BYTES + DESCRIPTOR_BYTES * descriptors.length;
  const control = Buffer.alloc(Math.ceil(length / 8) * 8);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries()) {
    control.writeInt32LE(descriptor, CONTROL_HEADER_BYTES + DESCRIPTOR_BYTES * index);
  }
  return control;
}
