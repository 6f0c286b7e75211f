import type { ImageMeta } from '../../frames/types.js';
import type { CallPhase } from '../../worker/types.js';
import type { FakeAnswer } from './answers.js';

/**
 * One process of a {@link FakeWorker}: a real one, with the pipes of a real worker. It executes orders at once and
 * in sequence. Orders after its end are dropped.
 *
 * @example
 * ```ts
 * const [worker] = fake.processes;
 * worker?.print('a print that was left in');
 * worker?.log('warning', 'the lamp is getting old', { hours: 9_000 });
 * await worker?.die('SIGSEGV');
 * ```
 */
export interface FakeProcess {
  /** From 0, in the order of their starts. */
  readonly index: number;
  readonly processId: number;
  /** Old name of `processId`. @deprecated use `processId`: it stays for one minor version */
  readonly pid: number;
  /** Process id of the host that started it. */
  readonly parent: number;
  /** Its working directory: the algorithm root. */
  readonly directory: string;
  /** All its environment variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** Every message it has read, in order. */
  readonly messages: readonly Record<string, unknown>[];
  readonly hasEnded: boolean;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Says hello, with fields replaced. */
  hello(fields?: Record<string, unknown>): void;
  /** Sends any message as one frame. */
  send(message: object): void;
  /** The bytes of a frame with this message, or with this body whatever it is; for {@link FakeProcess.write}, whole or in parts. */
  frame(message: object | string): Buffer;
  /** Writes bytes to stdout as they are. */
  write(bytes: Uint8Array): void;
  /** Prints to stdout, between the frames, as an algorithm does that has a `print` left in it. */
  print(text: string): void;
  /** Logs a line as the SDK's logger does: one JSON object on stderr. */
  log(level: string, message: string, fields?: Record<string, unknown>): void;
  /** Writes to stderr as it is. */
  printError(text: string): void;
  /** Closes stdout and lives on. */
  closeOutput(): void;
  /** Does not die of this signal from now on (POSIX). SIGKILL cannot be ignored. */
  ignore(signal: NodeJS.Signals): void;
  /** Reads its input no more and answers nothing, neither calls nor pings; the end of the input does not move it. */
  hang(): void;
  /** Leaves with this exit code, 0 by default. Resolves when it has ended. */
  exit(code?: number): Promise<void>;
  /** Dies of a signal, SIGKILL by default. Resolves when it has ended. */
  die(signal?: NodeJS.Signals): Promise<void>;
}

/** One call that a {@link FakeWorker} got: to be answered, and afterwards the record of it. */
export interface FakeCall {
  /** Process that got it. */
  readonly process: FakeProcess;
  /** `execute` where the generation has no other. */
  readonly phase: CallPhase;
  /** Of the call, as on the wire. */
  readonly requestId: string;
  /** As on the wire. */
  readonly data: FakeCallData;
  /** What it was answered with, in order. */
  readonly answers: readonly FakeAnswer[];
  /** Resolves when it has been answered, or its process has ended. */
  readonly over: Promise<void>;
  /** Answers it; once more, when it was answered before. */
  answer(answer?: FakeAnswer): void;
  /** For a handler to return: it gives no answer, as an algorithm that hangs. */
  hang(): Promise<never>;
  /** The image in shared memory, as it is now; undefined when it is not there. Read it before the call is answered. */
  image(): Promise<FakeImage | undefined>;
}

/** The pixels a worker was handed. */
export interface FakeImage {
  /** Height × width × channels bytes, row-major. */
  data: Uint8Array;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Bytes of a pixel. */
  channels: 1 | 3;
}

/** `data` of a call as it came over the wire: the fields of its generation. */
export interface FakeCallData {
  /** From 1. */
  step_index: number;
  /** Phase of the call (phased generation). */
  phase?: CallPhase;
  /** Product id (phased generation). */
  pid?: string;
  /** What goes from one call to the next (phased generation). */
  session?: {
    /** Of the session. */
    id: string;
    /** Values that came along. */
    context: Record<string, unknown>;
  };
  /** Parameters of the step, by key (phased generation). */
  user_params?: Record<string, unknown>;
  /** Id of the image (phased generation). */
  shared_mem_id?: string;
  /** About the image (phased generation). */
  image_meta?: ImageMeta;
  /** Description of the step (execute-only generation). */
  step_desc?: string;
  /** Where to look (execute-only generation). */
  guide_info?: unknown[];
  /** Id of the image (execute-only generation). */
  cur_image_shm_id?: string;
  /** About the image (execute-only generation). */
  cur_image_meta?: ImageMeta;
  /** Id of the guide image (execute-only generation). */
  guide_image_shm_id?: string;
  /** About the guide image (execute-only generation). */
  guide_image_meta?: ImageMeta;
}
