/** What a worker prints, and what reading it costs its host. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkerSpec } from '../../src/index.js';
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { bareEnvironment, pythonOf } from '../support/pythons.js';

const MEGABYTES = 10;
/** A megabyte of each, as Python writes it. */
const KINDS = {
  zeros: 'bytes(1000000)',
  'utf-16': '("warn\\n" * 100000).encode("utf-16-le")',
  text: '(b"x" * 99 + b"\\n") * 10000',
  json: '(b\'{"a": 1}\' + b"\\n") * 111111',
};
const PRINT = `import os
def emit(data):
    for _ in range(int(os.environ.get("MEGABYTES", "${MEGABYTES}"))):
        left = memoryview(data)
        while left: left = left[os.write(1, left):]
`;
const ALGORITHM = (kind: string) => `${PRINT}
from procvision_algorithm_sdk import BaseAlgorithm
DATA = ${kind}
class Algorithm(BaseAlgorithm):
    def get_info(self): return {}
    def pre_execute(self, *call): return {"status": "OK", "message": "", "data": {}}
    def execute(self, *call):
        emit(DATA)
        return {"status": "OK", "message": "", "data": {"result_status": "OK"}}
`;
/** Prints when it is asked to, and says when it is done. */
const PRINTER = (kind: string) => `${PRINT}
DATA = ${kind}
while os.read(0, 1):
    emit(DATA)
    os.write(2, b".")
`;

/** CPU time of this process, and the most of it between two turns of the loop. */
async function watched(work: () => Promise<unknown>): Promise<{ cpu: number; hold: number }> {
  const spent = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const before = spent();
  let last = before;
  let hold = 0;
  let isOver = false;
  const look = () => {
    const now = spent();
    hold = Math.max(hold, now - last);
    last = now;
    if (!isOver) setTimeout(look, 1);
  };
  look();
  await work();
  // What was printed last comes after the answer: on another pipe.
  await new Promise((resolve) => setTimeout(resolve, 50));
  isOver = true;
  return { cpu: spent() - before, hold };
}

async function rootOf(context: BenchContext, kind: string): Promise<WorkerSpec> {
  const { main, testing } = context.library;
  const root = path.join(context.folder, 'root');
  const frameDirectory = path.join(context.folder, 'frames');
  await mkdir(frameDirectory);
  const wheel = path.join(context.folder, 'sdk.whl');
  await writeFile(wheel, (await testing.buildStandInSdk({ generation: 'phased' })).bytes);
  await using archive = await main.openArchive(wheel);
  await archive.extract(root);
  await writeFile(path.join(root, 'main.py'), ALGORITHM(kind));
  await writeFile(path.join(root, 'printer.py'), PRINTER(kind));
  const python = await pythonOf(context);
  return { name: 'bench', version: '1', root, python, entryPoint: 'main:Algorithm', frameDirectory };
}

function printing(name: string, kind: string): BenchCase {
  return {
    name: `streams/${name}`,
    measures: `CPU time of a host whose worker prints ${MEGABYTES} MB of ${name} to stdout, and how long its loop is held`,
    figures: { cpu: { unit: 'ms' }, hold: { unit: 'ms' } },
    bars: ['ours, SDK adapter', 'ours, bundled worker'].flatMap((contestant) => [
      { figure: 'cpu', contestant, over: 'read and dropped', atMost: 2 },
      { figure: 'hold', contestant, atMost: 20 },
    ]),
    rounds: 9,
    async open(context) {
      const spec = await rootOf(context, kind);
      const env = { MEGABYTES: String(context.quick ? 1 : MEGABYTES) };
      const ours = (more: Partial<WorkerSpec>) => async (): Promise<Contestant> => {
        const worker = new context.library.main.AlgorithmWorker(
          { ...spec, env, ...more },
          { executeMs: 60_000 },
        );
        await worker.start();
        return {
          round: () => watched(() => worker.call({ phase: 'execute' })),
          close: () => worker.stop(),
        };
      };
      return {
        'ours, SDK adapter': ours({ flavour: 'sdk' }),
        'ours, bundled worker': ours({ flavour: 'bundled' }),
        'read and dropped': () => {
          const child = spawn(spec.python, ['printer.py'], {
            cwd: spec.root,
            env: { ...bareEnvironment(), ...env },
            stdio: ['pipe', 'pipe', 'pipe'],
          });
          child.stdout.on('data', () => undefined);
          return {
            round: () =>
              watched(async () => {
                child.stdin.write('.');
                await once(child.stderr, 'data');
              }),
            close: async () => {
              child.stdin.end();
              await once(child, 'exit');
            },
          };
        },
      };
    },
  };
}

export const cases: BenchCase[] = Object.entries(KINDS).map(([name, kind]) => printing(name, kind));
