import type { MemoryCalls } from './memory-calls.js';

const AF_UNIX = 1;
/** Keeps messages apart, and tells when the other end is gone. */
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_PRIVATE = 0x2;
const MAP_ANONYMOUS = 0x20;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
/** Header of a control message: its length, its level and its type (cmsg(3), 64 bits). */
const CONTROL_HEADER_BYTES = 16;
const DESCRIPTOR_BYTES = 4;
const LARGEST_MESSAGE = 65_536;
/** Where in a {@link Letter} its parts are: `msghdr` and `iovec` (recvmsg(2), 64 bits), the control message, the text. */
const PARTS_AT = 64;
const CONTROL_AT = 128;
const TEXT_AT = 4_096;
const LETTER_BYTES = TEXT_AT + LARGEST_MESSAGE;

/**
 * Passes descriptors of memory to a worker (unix(7), SCM_RIGHTS), and takes what it says of them. The worker inherits its
 * end: neither a name in a folder nor a right on this process is needed, whatever namespaces the worker has.
 */
export class DescriptorChannel {
  /** For the worker to inherit; closed here by {@link DescriptorChannel.started}. */
  readonly workerEnd: number;
  readonly #calls: MemoryCalls;
  readonly #hostEnd: number;
  readonly #letter: Letter;
  readonly #received = Buffer.allocUnsafe(LARGEST_MESSAGE);
  #isWorkerEndOpen = true;
  #isClosed = false;

  private constructor(calls: MemoryCalls, letter: Letter, hostEnd: number, workerEnd: number) {
    this.#calls = calls;
    this.#letter = letter;
    this.#hostEnd = hostEnd;
    this.workerEnd = workerEnd;
  }

  /** Undefined when the system gives no pair of sockets, or no memory. */
  static open(calls: MemoryCalls): DescriptorChannel | undefined {
    const letter = Letter.of(calls);
    const ends: number[] = [-1, -1];
    const isMade = calls.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) === 0;
    const [hostEnd = -1, workerEnd = -1] = ends;
    if (isMade && letter) return new DescriptorChannel(calls, letter, hostEnd, workerEnd);
    for (const end of isMade ? ends : []) calls.close(end);
    return undefined;
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
    const letter = this.#letter;
    const length = letter.write(JSON.stringify(message), descriptors);
    return this.#calls.sendmsg(this.#hostEnd, letter.pointer, MSG_DONTWAIT | MSG_NOSIGNAL) === length;
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

/**
 * What sendmsg(2) is given, in memory that stays: the structures are written once, and each message writes its text and its
 * descriptors. To have koffi make them for each message takes longer than the call itself.
 */
class Letter {
  static readonly #letters = new WeakMap<MemoryCalls, Letter>();
  /** Of the `msghdr`. */
  readonly pointer: unknown;
  readonly #bytes: Buffer;

  private constructor(pointer: unknown, start: bigint, bytes: Buffer) {
    this.pointer = pointer;
    this.#bytes = bytes;
    this.#bytes.writeBigUInt64LE(start + BigInt(PARTS_AT), 16); // msg_iov
    this.#bytes.writeBigUInt64LE(1n, 24); // msg_iovlen
    this.#bytes.writeBigUInt64LE(start + BigInt(CONTROL_AT), 32); // msg_control
    this.#bytes.writeBigUInt64LE(start + BigInt(TEXT_AT), PARTS_AT); // iov_base
    this.#bytes.writeInt32LE(SOL_SOCKET, CONTROL_AT + 8);
    this.#bytes.writeInt32LE(SCM_RIGHTS, CONTROL_AT + 12);
  }

  /** One for all channels: a message is sent before the next is written. */
  static of(calls: MemoryCalls): Letter | undefined {
    const known = Letter.#letters.get(calls);
    if (known) return known;
    const { koffi, mmap } = calls;
    const pointer = mmap(null, LETTER_BYTES, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const start = pointer === null ? MAP_FAILED : koffi.address(pointer);
    if (start === MAP_FAILED) return undefined;
    const letter = new Letter(pointer, start, Buffer.from(koffi.view(pointer, LETTER_BYTES)));
    Letter.#letters.set(calls, letter);
    return letter;
  }

  /** Gives the length of the text in bytes. */
  write(text: string, descriptors: readonly number[]): number {
    const bytes = this.#bytes;
    const length = bytes.write(text, TEXT_AT);
    bytes.writeUInt32LE(length, PARTS_AT + 8); // iov_len, of which the upper half stays 0
    const controlBytes = CONTROL_HEADER_BYTES + DESCRIPTOR_BYTES * descriptors.length;
    bytes.writeUInt32LE(Math.ceil(controlBytes / 8) * 8, 40); // msg_controllen
    bytes.writeUInt32LE(controlBytes, CONTROL_AT); // cmsg_len
    let at = CONTROL_AT + CONTROL_HEADER_BYTES;
    for (const descriptor of descriptors) at = bytes.writeInt32LE(descriptor, at);
    return length;
  }
}
