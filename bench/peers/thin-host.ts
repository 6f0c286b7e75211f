/** Our bundled worker and frame pool under a host of some thirty lines: no routing, queue, deadline, contract, retry. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { SentImage } from '../../src/frames/types.js';
import { DescriptorChannel } from '../../src/frames/descriptor-channel.js';
import { loadMemoryCalls } from '../../src/frames/memory-calls.js';
import { Unavailable } from '../harness/case.js';
import { BareAdapter } from '../support/adapter.js';
import { bareEnvironment } from '../support/pythons.js';
import { CROP, cropStore, framesOf } from './ours.js';
import type { Peer } from './peer.js';
import { WorkerQueue } from './queue.js';

const LAUNCHER = 'worker/launch.py';
const WORKER = 'worker/bundled/main.py';
/** Number of the worker's end of the channel; the one before it is left to the launcher. */
const CHANNEL_DESCRIPTOR = 4;
const LARGEST_FRAME = 16 * 2 ** 20;

/** A worker, and what memory is handed to it through; undefined where pictures are files. */
class ThinWorker {
  readonly adapter: BareAdapter;
  readonly channel: DescriptorChannel | undefined;

  private constructor(adapter: BareAdapter, channel: DescriptorChannel | undefined) {
    this.adapter = adapter;
    this.channel = channel;
  }

  static async start(python: string, args: string[], cwd: string, env: NodeJS.ProcessEnv) {
    const calls = await loadMemoryCalls();
    const channel = calls && DescriptorChannel.open(calls);
    const adapter = new BareAdapter(python, args, {
      cwd,
      env: { ...env, ...(channel && { PROCVISION_PICTURES: String(CHANNEL_DESCRIPTOR) }) },
      unheard: ['pictures'],
      more: channel ? ['ignore', channel.workerEnd] : [],
    });
    channel?.started();
    return new ThinWorker(adapter, channel);
  }

  /** Until the worker has said hello; its launcher asks first whether this host reads a pipe with what is printed. */
  async greet(): Promise<void> {
    const { type } = await this.adapter.next();
    if (type !== 'launcher') return;
    await this.adapter.ask({ type: 'launcher', log_pipe: false, max_frame_bytes: LARGEST_FRAME });
  }

  call(
    requestId: string,
    { id, kind, meta, descriptor, proof }: SentImage,
  ): Promise<Record<string, unknown>> {
    const isHanded = this.channel !== undefined && descriptor !== undefined;
    if (isHanded) this.channel.send({ request_id: requestId }, [descriptor]);
    const session = { session: { id: 'session', context: {} }, user_params: {} };
    const image = { shared_mem_id: id, image_meta: meta };
    const data = { phase: 'execute', step_index: 1, pid: 'P', ...session, ...image };
    const pictures = [{ id, kind, method: proof?.method, ...(isHanded && { descriptor: 0 }) }];
    const call = { type: 'call', request_id: requestId, timestamp_ms: Date.now(), data, pictures };
    return this.adapter.ask(call);
  }

  async close(): Promise<void> {
    this.channel?.close();
    await this.adapter.close();
  }
}

export const thinHost: Peer = {
  name: 'thin host on our worker',
  prepare: cropStore,
  async start(context, workers) {
    const { library } = context;
    const worker = library.file(WORKER);
    if (!existsSync(worker)) throw new Unavailable(`This build has no ${WORKER}`);
    const { layout } = await cropStore(context);
    const root = layout.deployed(CROP.name, CROP.version);
    const python = path.join(layout.venv(CROP.name, CROP.version), 'bin', 'python');
    const pool = new library.main.FramePool();
    const place = path.join(await pool.open(), 'thin');
    await mkdir(place);
    const launcher = library.file(LAUNCHER);
    const start = existsSync(launcher) ? [launcher, String(process.pid)] : [];
    const args = [...start, worker, '--entry', 'algorithm.main:Algorithm'];
    const env = bareEnvironment({ PROC_SHM_DIR: place });
    const all = await Promise.all(
      Array.from({ length: workers }, () => ThinWorker.start(python, args, root, env)),
    );
    await Promise.all(all.map((one) => one.greet()));
    const queue = new WorkerQueue(all);
    let calls = 0;
    return {
      load: async (pictures) => {
        const frames = await framesOf(context, pool, pictures);
        const sent = await Promise.all(frames.map((frame) => pool.send(frame)));
        for (const one of sent) if (one.descriptor === undefined) await one.deliver(place);
        return sent.map((one) => async () => {
          const answer = await queue.run((thin) => thin.call(String(++calls), one));
          const result = answer as { type: string; data?: { debug?: { mean: number } } };
          if (result.type !== 'result' || !result.data?.debug) throw new Error(JSON.stringify(answer));
          return result.data.debug.mean;
        });
      },
      close: async () => {
        await Promise.all(all.map((one) => one.close()));
        await pool.close();
      },
    };
  },
};
