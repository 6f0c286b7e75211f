/** One worker process against the bare adapter: its start, its round trips, its death. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkerFlavour, WorkerSpec } from '../../src/index.js';
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { each, median, percentile, timed } from '../harness/statistics.js';
import { BareAdapter } from '../support/adapter.js';
import { bareEnvironment, pythonOf } from '../support/pythons.js';

const ALGORITHM = `from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def get_info(self): return {}
    def pre_execute(self, *call): return {"status": "OK", "message": "", "data": {}}
    def execute(self, *call): return {"status": "OK", "message": "", "data": {"result_status": "OK"}}
`;
const SLOW_ALGORITHM = ALGORITHM.replace(
  'def execute(self, *call): ',
  'def execute(self, *call):\n        import time; time.sleep(60)\n        ',
);

/** Gives every message back: what JSON over pipes costs between Node and Python, and no more. */
const ECHO = `import json, os
data = b""
while True:
    chunk = os.read(0, 65536)
    if not chunk: break
    data += chunk
    while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[:4], "big"):
        end = 4 + int.from_bytes(data[:4], "big")
        message = json.loads(data[4:end]); data = data[end:]
        body = json.dumps(message).encode()
        os.write(1, len(body).to_bytes(4, "big") + body)
`;

const ADAPTER = ['-m', 'procvision_algorithm_sdk.adapter', '--entry', 'main:Algorithm'];
/** What a call of the phased generation has in it, as the library sends it (worker protocol). */
const CALL_DATA = {
  ...{ phase: 'execute', step_index: 1, pid: '' },
  ...{ session: { id: 'session', context: {} }, user_params: {} },
};

/** An algorithm root with the stand-in SDK in it. */
async function algorithmRoot(context: BenchContext, algorithm = ALGORITHM): Promise<WorkerSpec> {
  const { main, testing } = context.library;
  const root = path.join(context.folder, 'root');
  const frameDirectory = path.join(context.folder, 'frames');
  await mkdir(frameDirectory);
  const wheel = path.join(context.folder, 'sdk.whl');
  await writeFile(wheel, (await testing.buildStandInSdk({ generation: 'phased' })).bytes);
  await using archive = await main.openArchive(wheel);
  await archive.extract(root);
  await writeFile(path.join(root, 'main.py'), algorithm);
  await writeFile(path.join(root, 'echo.py'), ECHO);
  const python = await pythonOf(context);
  return { name: 'bench', version: '1', root, python, entryPoint: 'main:Algorithm', frameDirectory };
}

async function started(context: BenchContext, spec: WorkerSpec, flavour: WorkerFlavour = 'sdk') {
  const worker = new context.library.main.AlgorithmWorker({ ...spec, flavour });
  await worker.start();
  return worker;
}

function bare(spec: WorkerSpec, args: string[]): BareAdapter {
  return new BareAdapter(spec.python, args, { cwd: spec.root, env: bareEnvironment() });
}

const spawning: BenchCase = {
  name: 'worker/spawn',
  measures: 'From the start of a worker to ready, and of the bare adapter to its first pong',
  figures: { ready: { unit: 'ms' } },
  bars: [
    { figure: 'ready', contestant: 'ours', over: 'bare adapter', atMost: 1.15 },
    { figure: 'ready', contestant: 'ours, without namespaces', over: 'bare adapter', atMost: 1.1 },
  ],
  rounds: 25,
  async open(context) {
    const spec = await algorithmRoot(context);
    const ours = (namespaces: WorkerSpec['namespaces']) => (): Contestant => ({
      round: async () => {
        const worker = new context.library.main.AlgorithmWorker({ ...spec, namespaces });
        const ready = await timed(() => worker.start());
        await worker.stop();
        return { ready };
      },
    });
    return {
      ours: ours('auto'),
      'ours, without namespaces': ours('off'),
      'bare adapter': () => ({
        round: async () => {
          const startedAt = performance.now();
          const adapter = bare(spec, ADAPTER);
          await adapter.next(); // hello
          await adapter.ask({ type: 'ping', request_id: 'p' });
          const ready = performance.now() - startedAt;
          await adapter.close();
          return { ready };
        },
      }),
    };
  },
};

const roundTrips: BenchCase = {
  name: 'worker/round-trips',
  measures: 'Round trips between Node and Python on one core: pings, and calls without a picture',
  figures: { ping: { unit: 'ms' }, call: { unit: 'ms' }, call99: { unit: 'ms' } },
  bars: [
    { figure: 'ping', contestant: 'ours, SDK adapter', over: 'bare adapter', atMost: 1.5 },
    { figure: 'call', contestant: 'ours, SDK adapter', over: 'bare adapter', atMost: 1.5 },
    { figure: 'call', contestant: 'ours, bundled worker', over: 'bare JSON echo', atMost: 1.5 },
    { figure: 'call', contestant: 'ours, SDK adapter', minus: 'bare adapter', atMost: 0.3 },
    { figure: 'call99', contestant: 'ours, SDK adapter', minus: 'bare adapter', atMost: 1 },
  ],
  rounds: 11,
  oneCore: true,
  async open(context) {
    const spec = await algorithmRoot(context);
    const trips = context.quick ? 200 : 1_000;
    const calls = async (call: () => unknown) => {
      const samples = await each(trips, call);
      return { call: median(samples), call99: percentile(samples, 0.99) };
    };
    const ours = (flavour: WorkerFlavour) => async (): Promise<Contestant> => {
      const worker = await started(context, spec, flavour);
      return {
        round: async () => ({
          ping: median(await each(trips, () => worker.ping())),
          ...(await calls(() => worker.call({ phase: 'execute' }))),
        }),
        close: () => worker.stop(),
      };
    };
    return {
      'ours, SDK adapter': ours('sdk'),
      'ours, bundled worker': ours('bundled'),
      'bare adapter': async () => {
        const adapter = bare(spec, ADAPTER);
        await adapter.next();
        const call = { type: 'call', request_id: 'c', data: { phase: 'execute', step_index: 1 } };
        return {
          round: async () => ({
            ping: median(await each(trips, () => adapter.ask({ type: 'ping', request_id: 'p' }))),
            ...(await calls(() => adapter.ask(call))),
          }),
          close: () => adapter.close(),
        };
      },
      'bare JSON echo': () => {
        const echo = bare(spec, ['echo.py']);
        const call = { type: 'call', request_id: '1', data: CALL_DATA };
        return { round: () => calls(() => echo.ask(call)), close: () => echo.close() };
      },
    };
  },
};

const exit: BenchCase = {
  name: 'worker/exit',
  measures: 'From the death of a worker to the rejection of the call that it had',
  figures: { noticed: { unit: 'ms' } },
  bars: [{ figure: 'noticed', contestant: 'ours', atMost: 50 }],
  rounds: 10,
  async open(context) {
    const spec = await algorithmRoot(context, SLOW_ALGORITHM);
    return {
      ours: () => ({
        round: async () => {
          const worker = new context.library.main.AlgorithmWorker(spec);
          const { pid } = await worker.start();
          const rejected = worker.call({ phase: 'execute' }, { timeoutMs: 10_000 }).then(
            () => NaN,
            () => performance.now(),
          );
          await sleep(50);
          const killedAt = performance.now();
          process.kill(pid, 'SIGKILL');
          const noticed = (await rejected) - killedAt;
          await worker.exited;
          return { noticed };
        },
      }),
    };
  },
};

export const cases: BenchCase[] = [spawning, roundTrips, exit];
