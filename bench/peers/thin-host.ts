/** Our bundled worker and frame pool under a host of some thirty lines: no routing, queue, deadline, contract, retry. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Unavailable } from '../harness/case.js';
import { BareAdapter } from '../support/adapter.js';
import { bareEnvironment } from '../support/pythons.js';
import { CROP, cropStore, framesOf } from './ours.js';
import type { Peer } from './peer.js';
import { WorkerQueue } from './queue.js';

const LAUNCHER = 'worker/launch.py';
const WORKER = 'worker/bundled/main.py';
const HELLO_MS = 10_000;

/** Until the worker has said hello; its launcher asks first whether this host reads a pipe with what is printed. */
async function greet(adapter: BareAdapter): Promise<void> {
  const { type } = await adapter.next();
  if (type === 'launcher') {
    await adapter.ask({ type: 'launcher', log_pipe: false, max_frame_bytes: 16 * 2 ** 20 });
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
    // Files: the descriptors of memory are handed over by our own host alone.
    const pool = new library.main.FramePool({ mapped: false });
    const place = path.join(await pool.open(), 'thin');
    await mkdir(place);
    const env = bareEnvironment({ PROC_SHM_DIR: place });
    const launcher = library.file(LAUNCHER);
    const start = existsSync(launcher) ? [launcher, String(process.pid)] : [];
    const args = [...start, worker, '--entry', 'algorithm.main:Algorithm'];
    const all = Array.from(
      { length: workers },
      () => new BareAdapter(python, args, { cwd: root, env, unheard: ['pictures'] }),
    );
    const hello = Promise.all(all.map(greet));
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, HELLO_MS, 'late').unref());
    if ((await Promise.race([hello, late])) === 'late') {
      await Promise.all(all.map((adapter) => adapter.close()));
      await pool.close();
      throw new Unavailable('The bundled worker of this build says no hello to a host of thirty lines');
    }
    const queue = new WorkerQueue(all);
    let calls = 0;
    return {
      load: async (pictures) => {
        const frames = await framesOf(context, pool, pictures);
        const sent = await Promise.all(frames.map((frame) => pool.send(frame)));
        for (const one of sent) await one.deliver(place);
        return sent.map(({ id, meta }) => async () => {
          const session = { session: { id: 'session', context: {} }, user_params: {} };
          const image = { shared_mem_id: id, image_meta: meta };
          const data = { phase: 'execute', step_index: 1, pid: 'P', ...session, ...image };
          const call = { type: 'call', request_id: String(++calls), timestamp_ms: Date.now(), data };
          const answer = await queue.run((adapter) => adapter.ask(call));
          const result = answer as { type: string; message: string; data?: { debug?: { mean: number } } };
          if (result.type !== 'result' || !result.data?.debug) throw new Error(JSON.stringify(answer));
          return result.data.debug.mean;
        });
      },
      close: async () => {
        await Promise.all(all.map((adapter) => adapter.close()));
        await pool.close();
      },
    };
  },
};
