import { setTimeout as sleep } from 'node:timers/promises';
import { RunnerError } from '../../errors.js';
import { encodeFrame, FrameDecoder } from '../../worker/frame-codec.js';
import { resolveLimits } from '../../worker/limits.js';
import { workerCommand } from '../../worker/worker-command.js';
import type { WorkerProcess } from '../../worker/worker-process.js';
import type { Ledger } from './ledger.js';
import type { Subject } from './subject.js';

/** Between two pieces of a frame, so that they come in reads of their own. */
const PIECE_PAUSE_MS = 5;

interface Message {
  type?: string;
  request_id?: string;
  log_pipe?: number | null;
}

/** Runs what a worker owes to the bytes of its input: frames joined, split, and broken. */
export async function runWireRows(subject: Subject, ledger: Ledger): Promise<void> {
  if (!ledger.wants(20, 21)) return;
  const talk = await WireTalk.open(subject);
  try {
    await ledger.run(21, async () => {
      talk.write(Buffer.concat([ping('joined-1'), ping('joined-2')]));
      await talk.pong('joined-1');
      await talk.pong('joined-2');
      const frame = ping('split');
      for (const piece of [frame.subarray(0, 2), frame.subarray(2, 9), frame.subarray(9)]) {
        talk.write(piece);
        await sleep(PIECE_PAUSE_MS);
      }
      await talk.pong('split');
      ledger.see(21, 'worker: two frames in one piece and one frame in three pieces are answered');
    });
    if (ledger.hasFailed(21)) ledger.skip(20, 'the worker does not answer frames that are whole (row 21)');
    else {
      await ledger.run(20, async () => {
        const broken = Buffer.from('\0\0\0\0{"type": "ping", ');
        broken.writeUInt32BE(broken.length - 4, 0);
        talk.write(Buffer.concat([broken, ping('after')]));
        const ended = await talk.pongOrEnd('after');
        ledger.see(
          20,
          `worker: ${ended ? 'it leaves, and the host starts another' : 'the frame is skipped'}`,
        );
      });
    }
  } finally {
    await talk.close();
  }
}

function ping(id: string): Buffer {
  return encodeFrame({ type: 'ping', request_id: id }, 1024);
}

/** A worker that is written to byte by byte, past everything that keeps a host from sending what is wrong. */
class WireTalk {
  readonly #subject: Subject;
  readonly #decoder: FrameDecoder;
  readonly #waiting = new Map<string, (message: Message) => void>();
  readonly #early = new Map<string, Message>();
  #process: WorkerProcess | undefined;
  #output = '';
  #end!: () => void;
  readonly #ended = new Promise<void>((resolve) => (this.#end = resolve));

  private constructor(subject: Subject) {
    this.#subject = subject;
    this.#decoder = new FrameDecoder(subject.policy.limits.maxFrameBytes ?? 2 ** 21);
  }

  /** A worker whose algorithm is loaded. */
  static async open(subject: Subject): Promise<WireTalk> {
    const talk = new WireTalk(subject);
    try {
      await talk.#start();
      return talk;
    } catch (error) {
      await talk.close();
      throw error;
    }
  }

  write(bytes: Buffer): void {
    this.#process?.write(bytes);
  }

  async pong(id: string): Promise<void> {
    if (await this.pongOrEnd(id)) {
      throw new Error(
        `the worker ended instead of answering the ping ${id}. Its adapter must read a frame until all of its bytes have ` +
          `come, and no byte more.${this.#output === '' ? '' : ` It wrote: ${this.#output.trim().slice(-300)}`}`,
      );
    }
  }

  /** Whether the worker ended before the pong. @throws Error when neither comes */
  async pongOrEnd(id: string): Promise<boolean> {
    const came = await this.#within(this.#message(`pong ${id}`), this.#graceMs);
    if (came === 'late') {
      throw new Error(
        `the worker neither answered the ping ${id} within ${this.#graceMs} ms nor ended. Its adapter must read a frame until ` +
          'all of its bytes have come, and leave when it cannot read one',
      );
    }
    return came === 'ended';
  }

  async close(): Promise<void> {
    await this.#process?.end(() => {
      this.write(encodeFrame({ type: 'shutdown' }, 1024));
    }, 500);
    await this.#process?.whenTreeEnded();
  }

  get #graceMs(): number {
    return this.#subject.policy.limits.heartbeatGraceMs ?? 2_000;
  }

  async #start(): Promise<void> {
    const { spec, policy, entry } = this.#subject;
    const all = resolveLimits(policy.limits);
    const { root: cwd } = spec;
    const { WorkerProcess } = await import('../../worker/worker-process.js');
    this.#process = await WorkerProcess.spawn(
      workerCommand(spec, all),
      { cwd },
      {
        stdout: (chunk) => {
          for (const item of this.#decoder.push(chunk)) if (item.kind === 'frame') this.#take(item.body);
        },
        stderr: (chunk) => {
          this.#output = (this.#output + chunk.toString('utf8')).slice(-2_000);
        },
        exit: () => {
          this.#end();
        },
      },
    );
    const hello = await this.#within(this.#message('hello'), all.helloMs);
    if (typeof hello === 'string') throw this.#notStarted(entry.name, 'said no hello');
    await this.#process.reported;
    const beats = {
      heartbeat_interval_ms: all.heartbeatIntervalMs,
      heartbeat_grace_ms: all.heartbeatGraceMs,
    };
    this.write(encodeFrame({ type: 'hello', runner_version: '1', ...beats }, 1024));
    this.write(ping('loaded'));
    const pong = await this.#within(this.#message('pong loaded'), all.loadMs);
    if (typeof pong === 'string') throw this.#notStarted(entry.name, 'did not load its algorithm');
  }

  #notStarted(name: string, what: string): RunnerError {
    return new RunnerError(
      'start_failed',
      `The worker of ${name} ${what}: ${this.#output.trim().slice(-300)}`,
    );
  }

  #take(body: Buffer): void {
    const message = JSON.parse(body.toString('utf8')) as Message;
    if (message.type === 'launcher') {
      // It keeps its stderr: nobody reads another pipe.
      this.write(encodeFrame({ type: 'launcher', log_pipe: false, max_frame_bytes: 2 ** 21 }, 1024));
      return;
    }
    const key = message.type === 'pong' ? `pong ${message.request_id ?? ''}` : (message.type ?? '');
    const waiting = this.#waiting.get(key);
    if (waiting) waiting(message);
    else this.#early.set(key, message);
  }

  #message(key: string): Promise<Message> {
    const early = this.#early.get(key);
    return early ? Promise.resolve(early) : new Promise((resolve) => this.#waiting.set(key, resolve));
  }

  async #within(message: Promise<Message>, limitMs: number): Promise<Message | 'ended' | 'late'> {
    const limit = new AbortController();
    const late = sleep(limitMs, 'late' as const, { signal: limit.signal }).catch(() => 'late' as const);
    try {
      return await Promise.race([message, this.#ended.then(() => 'ended' as const), late]);
    } finally {
      limit.abort();
    }
  }
}
