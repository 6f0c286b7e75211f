import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readNpy } from '../../frames/npy-reader.js';
import { generationIn, TRAILER_BYTES } from '../../frames/proof.js';
import type { CallPhase, ResultData } from '../../worker/types.js';
import { answerFrame, type FakeAnswer } from './answers.js';
import type { FakeCall, FakeCallData, FakeImage, FakeProcess } from './types.js';

/** A call as a script sees it. */
export class PuppetCall implements FakeCall {
  readonly process: FakeProcess;
  readonly requestId: string;
  readonly data: FakeCallData;
  readonly answers: FakeAnswer[] = [];
  readonly over: Promise<void>;
  readonly #defaults: ResultData;
  #resolveAnswered!: () => void;

  constructor(process: FakeProcess, message: Record<string, unknown>, defaults: ResultData) {
    this.process = process;
    this.requestId = String(message.request_id);
    this.data = message.data as FakeCallData;
    this.#defaults = defaults;
    const answered = new Promise<void>((resolve) => (this.#resolveAnswered = resolve));
    this.over = Promise.race([answered, process.ended]);
  }

  get phase(): CallPhase {
    return this.data.phase ?? 'execute';
  }

  answer(answer: FakeAnswer = {}): void {
    this.answers.push(answer);
    this.process.send(answerFrame(answer, { requestId: this.requestId, data: this.#defaults }));
    this.#resolveAnswered();
  }

  hang(): Promise<never> {
    return new Promise(() => undefined);
  }

  async image(): Promise<FakeImage | undefined> {
    const id = this.data.shared_mem_id ?? this.data.cur_image_shm_id;
    if (id === undefined) return undefined;
    const file = path.join(this.process.environment.PROC_SHM_DIR ?? '', `${id}.npy`);
    const bytes = await readFile(file).catch(() => undefined);
    if (!bytes) return undefined;
    const content =
      generationIn(bytes.subarray(-TRAILER_BYTES)) === undefined ? bytes : bytes.subarray(0, -TRAILER_BYTES);
    const found = readNpy(content, file);
    return { ...found, data: Uint8Array.from(found.data) };
  }
}
