import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildStandInSdk } from '../../src/testing/index.js';
import { openArchive } from '../../src/package/archive.js';
import { pythonEnvironment } from '../../src/process/environment.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import { callData } from '../../src/worker/generations.js';
import type { WorkerFlavour, WorkerSpec } from '../../src/worker/types.js';
import { compare, figure, median, percentile, type BenchCase, type BenchResult } from '../harness.js';
import { onOneCore } from '../support/one-core.js';
import { BareAdapter, scratchFolder } from '../support/processes.js';

const ROUND_TRIPS = 1000;
const ROUNDS = 11;

const ALGORITHM = `from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def get_info(self): return {}
    def pre_execute(self, *call): return {"status": "OK", "message": "", "data": {}}
    def execute(self, *call): return {"status": "OK", "message": "", "data": {"result_status": "OK"}}
`;

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

/** An algorithm root with the stand-in SDK in it, run by the machine's Python. */
async function algorithmRoot(folder: string): Promise<WorkerSpec> {
  const root = path.join(folder, 'root');
  const frameDirectory = path.join(folder, 'frames');
  await mkdir(frameDirectory);
  const wheel = path.join(folder, 'sdk.whl');
  await writeFile(wheel, (await buildStandInSdk({ generation: 'phased' })).bytes);
  await using archive = await openArchive(wheel);
  await archive.extract(root);
  await writeFile(path.join(root, 'main.py'), ALGORITHM);
  await writeFile(path.join(root, 'echo.py'), ECHO);
  return {
    name: 'bench',
    version: '1',
    root,
    python: 'python3',
    entryPoint: 'main:Algorithm',
    frameDirectory,
  };
}

async function spawnToReady(): Promise<BenchResult[]> {
  await using folder = await scratchFolder();
  const spec = await algorithmRoot(folder.path);
  const ours = async () => {
    const worker = new AlgorithmWorker(spec);
    const startedAt = performance.now();
    await worker.start();
    const took = performance.now() - startedAt;
    await worker.stop();
    return took;
  };
  const theirs = async () => {
    const startedAt = performance.now();
    const adapter = new BareAdapter(spec.python, ADAPTER, { cwd: spec.root, env: pythonEnvironment() });
    await adapter.next(); // hello
    await adapter.ask({ type: 'ping', request_id: 'p' });
    const took = performance.now() - startedAt;
    await adapter.end();
    return took;
  };
  return [
    await compare({
      name: 'worker: spawn to ready',
      comparator: 'the bare adapter to its first pong',
      ours,
      theirs,
      rounds: 15,
      atMost: 1.1,
    }),
  ];
}

/** Median time of one of many round trips. */
async function medianOf(ask: () => Promise<unknown>, samples?: number[]): Promise<number> {
  const times: number[] = [];
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    const startedAt = performance.now();
    await ask();
    times.push(performance.now() - startedAt);
  }
  samples?.push(...times);
  return median(times);
}

async function roundTrips(): Promise<BenchResult[]> {
  using _core = onOneCore();
  await using folder = await scratchFolder();
  const spec = await algorithmRoot(folder.path);
  const start = async (flavour: WorkerFlavour) => {
    const worker = new AlgorithmWorker({ ...spec, flavour });
    await worker.start();
    return worker;
  };
  const sdk = await start('sdk');
  const bundled = await start('bundled');
  const bare = new BareAdapter(spec.python, ADAPTER, { cwd: spec.root, env: pythonEnvironment() });
  await bare.next();
  const echo = new BareAdapter(spec.python, ['echo.py'], { cwd: spec.root, env: pythonEnvironment() });
  const call = { type: 'call', request_id: 'c', data: { phase: 'execute', step_index: 1 } };
  const sameCall = { type: 'call', request_id: '1', data: callData('phased', { phase: 'execute' }) };
  const ownCalls: number[] = [];
  const bareCalls: number[] = [];
  try {
    const results = [
      await compare({
        name: 'worker: ping round trip, SDK adapter',
        comparator: 'the bare adapter',
        ours: () => medianOf(() => sdk.ping()),
        theirs: () => medianOf(() => bare.ask({ type: 'ping', request_id: 'p' })),
        rounds: ROUNDS,
        atMost: 1.5,
      }),
      await compare({
        name: 'worker: small call, SDK adapter',
        comparator: 'the bare adapter',
        ours: () => medianOf(() => sdk.call({ phase: 'execute' }), ownCalls),
        theirs: () => medianOf(() => bare.ask(call), bareCalls),
        rounds: ROUNDS,
        atMost: 1.5,
      }),
      await compare({
        name: 'worker: small call, bundled worker',
        comparator: 'a bare JSON echo of the same call between Node and Python',
        ours: () => medianOf(() => bundled.call({ phase: 'execute' })),
        theirs: () => medianOf(() => echo.ask(sameCall)),
        rounds: ROUNDS,
        atMost: 1.5,
      }),
    ];
    const cost = (share: number) => percentile(ownCalls, share) - percentile(bareCalls, share);
    return [
      ...results,
      figure({
        name: 'worker: host-side cost of a small call, p50',
        unit: 'ms',
        samples: [cost(0.5)],
        atMost: 0.3,
      }),
      figure({
        name: 'worker: host-side cost of a small call, p99',
        unit: 'ms',
        samples: [cost(0.99)],
        atMost: 1,
      }),
    ];
  } finally {
    await Promise.all([sdk.stop(), bundled.stop(), bare.end(), echo.end()]);
  }
}

/** From the death of the process to the rejection of the call that it had. */
async function exitNoticed(): Promise<BenchResult[]> {
  await using folder = await scratchFolder();
  const spec = await algorithmRoot(folder.path);
  await writeFile(
    path.join(spec.root, 'main.py'),
    ALGORITHM.replace(
      'def execute(self, *call): ',
      'def execute(self, *call):\n        import time; time.sleep(60)\n        ',
    ),
  );
  const samples: number[] = [];
  for (let round = 0; round < 10; round++) {
    const worker = new AlgorithmWorker(spec);
    const { pid } = await worker.start();
    const call = worker.call({ phase: 'execute' }, { timeoutMs: 10_000 }).catch(() => performance.now());
    await new Promise((resolve) => setTimeout(resolve, 50));
    const killedAt = performance.now();
    process.kill(pid, 'SIGKILL');
    samples.push(((await call) as number) - killedAt);
    await worker.exited;
  }
  return [figure({ name: 'worker: an exit is noticed within', unit: 'ms', samples, atMost: 50 })];
}

export const cases: BenchCase[] = [
  { name: 'worker: spawn to ready', run: spawnToReady },
  { name: 'worker: round trips', run: roundTrips },
  { name: 'worker: exit', run: exitNoticed },
];
