/** The limit: request and answer as binary records in shared memory, kept mappings, one byte over the pipe to wake. */
import { writeSync } from 'node:fs';
import type { BenchContext } from '../harness/case.js';
import { numpyPython } from './environments.js';
import type { Peer, Picture, RunningPeer } from './peer.js';
import { PeerProcess } from './processes.js';
import { WorkerQueue } from './queue.js';
import { fileMapper, sharedName, type MapFile } from './shared-memory.js';

const PAGE = 4_096;
const ANSWER_AT = 64;
const BYTE = Buffer.from('x');

class RingWorker {
  readonly #process: PeerProcess;
  readonly #request: Uint32Array;
  readonly #answer: Float64Array;
  #done: (() => void) | undefined;

  constructor(python: string, control: string, slots: string, map: MapFile) {
    const page = map(control, PAGE);
    this.#request = new Uint32Array(page, 0, 3);
    this.#answer = new Float64Array(page, ANSWER_AT, 1);
    this.#process = new PeerProcess(python, ['ring.py', control, slots]);
    this.#process.child.stdout?.on('data', () => this.#done?.());
  }

  /** The next byte that it writes. */
  next(): Promise<void> {
    const byte = new Promise<void>((resolve) => (this.#done = resolve));
    return Promise.race([byte, this.#process.failure()]);
  }

  async ask(slot: number, { width, height }: Picture): Promise<number> {
    const { stdin } = this.#process.child;
    const descriptor = (stdin as unknown as { _handle: { fd: number } })._handle.fd;
    this.#request.set([slot, width, height]);
    const answered = this.next();
    writeSync(descriptor, BYTE); // at once, without the stream's queue
    await answered;
    return this.#answer[0] ?? NaN;
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}

async function start(context: BenchContext, workers: number, copies: boolean): Promise<RunningPeer> {
  const python = await numpyPython(context);
  const map = await fileMapper();
  const name = sharedName(context);
  const all = Array.from({ length: workers }, (_, n) => new RingWorker(python, `${name}.${n}`, name, map));
  await Promise.all(all.map((worker) => worker.next()));
  const queue = new WorkerQueue(all);
  let slots = 0;
  return {
    load: (pictures) =>
      Promise.resolve(
        pictures.map((picture) => {
          const slot = ++slots;
          const pixels = new Uint8Array(map(`${name}-${slot}`, picture.data.length));
          pixels.set(picture.data);
          return () => {
            if (copies) pixels.set(picture.data);
            return queue.run((worker) => worker.ask(slot, picture));
          };
        }),
      ),
    close: () => Promise.all(all.map((worker) => worker.close())),
  };
}

export const ringInPlace: Peer = {
  name: 'ring, in place',
  prepare: numpyPython,
  start: (context, workers) => start(context, workers, false),
};

export const ringCopied: Peer = {
  name: 'ring, copied in',
  prepare: numpyPython,
  start: (context, workers) => start(context, workers, true),
};
