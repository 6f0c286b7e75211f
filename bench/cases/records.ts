/** What the thin host could gain by records of one length in place of JSON: the same call and answer in both forms. */
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { each, median } from '../harness/statistics.js';
import { cpuMs } from '../peers/contestants.js';
import { numpyPython } from '../peers/environments.js';
import { SMALL } from '../peers/peer.js';
import { PeerProcess } from '../peers/processes.js';

const JSON_RECORDS = 'JSON';
const BINARY_RECORDS = 'records of one length';
const LENGTH_BYTES = 4;
/** As records.py has them. */
const REQUEST_BYTES = 44;
const MEAN_AT = 44;

/** Writes a call into a frame, and reads the mean out of the body of its answer. */
interface Form {
  request: (number: number) => Buffer;
  mean: (body: Buffer) => number;
}

function jsonForm(): Form {
  return {
    request: (number) => {
      const meta = { ...SMALL, timestamp_ms: Date.now(), camera_id: 'camera', color_space: 'RGB' };
      const session = { session: { id: 'session', context: {} }, user_params: {} };
      const image = { shared_mem_id: 'f1', image_meta: meta };
      const data = { phase: 'execute', step_index: 1, pid: 'P', ...session, ...image };
      const pictures = [{ id: 'f1', kind: 'npy', method: 'sampled', descriptor: 0 }];
      const request_id = String(number);
      const body = JSON.stringify({ type: 'call', request_id, timestamp_ms: Date.now(), data, pictures });
      const frame = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(body));
      frame.writeUInt32BE(frame.length - LENGTH_BYTES);
      frame.write(body, LENGTH_BYTES);
      return frame;
    },
    mean: (body) => (JSON.parse(body.toString()) as { data: { debug: { mean: number } } }).data.debug.mean,
  };
}

function binaryForm(): Form {
  const frame = Buffer.alloc(LENGTH_BYTES + REQUEST_BYTES);
  frame.writeUInt32BE(REQUEST_BYTES);
  return {
    request: (number) => {
      let at = frame.writeUInt32LE(number, LENGTH_BYTES);
      for (const value of [1, SMALL.width, SMALL.height, 3]) at = frame.writeUInt32LE(value, at);
      at = frame.writeBigUInt64LE(7n, at);
      frame.write('f1', at);
      return frame;
    },
    mean: (body) => body.readDoubleLE(MEAN_AT),
  };
}

function open(context: BenchContext, mode: string, { request, mean }: Form) {
  return async (): Promise<Contestant> => {
    const worker = new PeerProcess(await numpyPython(context), ['records.py', mode]);
    let answered: ((body: Buffer) => void) | undefined;
    worker.child.stdout?.on('data', (chunk: Buffer) => answered?.(chunk.subarray(LENGTH_BYTES)));
    let calls = 0;
    const call = async () => {
      const body = new Promise<Buffer>((resolve) => (answered = resolve));
      worker.child.stdin?.write(request(++calls));
      const found = mean(await body);
      if (found !== 61.25) throw new Error(`the mean is ${found}`);
    };
    return {
      round: async () => {
        const count = context.quick ? 50 : 2_000;
        const before = cpuMs();
        const samples = await each(count, call);
        return { p50: median(samples), hostCpu: (cpuMs() - before) / count };
      },
      close: () => worker.close(),
    };
  };
}

export const cases: BenchCase[] = [
  {
    name: 'calls/records',
    measures:
      'A call without picture and work, as the thin host and the worker say it, in JSON and in records of one length; on one core',
    figures: { p50: { unit: 'ms' }, hostCpu: { unit: 'ms' } },
    rounds: 11,
    oneCore: true,
    open: (context) =>
      Promise.resolve({
        [JSON_RECORDS]: open(context, 'json', jsonForm()),
        [BINARY_RECORDS]: open(context, 'binary', binaryForm()),
      }),
  },
];
