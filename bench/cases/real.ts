/** Real packages as subjects: how long their workers take to be ready, the memory they take, and a switch under load. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlgorithmSupervisor, Registry } from '../../src/index.js';
import { Unavailable, type BenchCase, type BenchContext, type Contestant } from '../harness/case.js';
import { each, median, percentile, timed } from '../harness/statistics.js';
import { memoryOf } from '../support/processes.js';
import { bareEnvironment } from '../support/pythons.js';
import { deploySubjects, NUMPY, SUBJECTS, WITH_LEARNING, type Subject } from '../support/subjects.js';

const VERSION = '1.0.0';
const IMAGE = { data: new Uint8Array(640 * 480 * 3).fill(7), width: 640, height: 480 };

const targetOf = ({ name }: Subject) => ({ name, version: VERSION });
const pythonIn = ({ layout }: Registry, { name }: Subject) =>
  path.join(layout.venv(name, VERSION), process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
/** A quick run takes NumPy alone. */
const subjectsOf = ({ quick }: BenchContext) => (quick ? SUBJECTS.slice(0, 1) : SUBJECTS);
const oneEach = (
  context: BenchContext,
  open: (subject: Subject) => [string, () => Promise<Contestant> | Contestant][],
) => Object.fromEntries(subjectsOf(context).flatMap(open));

const coldStart: BenchCase = {
  name: 'real/cold-start',
  measures:
    'From the start of a worker to its first answer, and a Python of the same environment that only imports',
  figures: { time: { unit: 'ms' } },
  bars: SUBJECTS.map(({ title }) => ({
    ...{ figure: 'time', contestant: `ours, ${title}`, over: `bare import, ${title}`, atMost: 1.5 },
  })),
  limitSeconds: 600,
  async open(context) {
    const registry = await deploySubjects(context, subjectsOf(context));
    return oneEach(context, (subject) => [
      [
        `ours, ${subject.title}`,
        () => {
          const supervisor = new context.library.main.AlgorithmSupervisor({ registry, worker: 'bundled' });
          context.onClose(() => supervisor.close());
          const { name, version } = targetOf(subject);
          return {
            round: async () => {
              const time = await timed(async () => {
                await supervisor.start(name, version);
                await supervisor.execute({ target: { name, version }, stepIndex: 1, image: IMAGE });
              });
              await supervisor.stop(name, version);
              return { time };
            },
          };
        },
      ],
      [
        `bare import, ${subject.title}`,
        () => {
          const code = `${subject.imports}\nimport procvision_algorithm_sdk`;
          const start = () =>
            execFileSync(pythonIn(registry, subject), ['-c', code], { env: bareEnvironment() });
          return { round: async () => ({ time: await timed(start) }) };
        },
      ],
    ]);
  },
};

/** Process ids of the workers of one version. */
function workersOf(supervisor: AlgorithmSupervisor, { name }: Subject): number[] {
  const workers = supervisor.status().flatMap((one) => (one.name === name ? one.workers : []));
  return workers.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
}

const memory: BenchCase = {
  name: 'real/memory',
  measures:
    'PSS of one worker alone, and for each of four, after 20 calls each; and of a Python that only imports (smaps_rollup)',
  figures: { one: { unit: 'MiB' }, eachOfFour: { unit: 'MiB' } },
  bars: SUBJECTS.map(({ title }) => ({
    ...{ figure: 'one', contestant: `ours, ${title}`, minus: `bare import, ${title}`, atMost: 16 },
  })),
  rounds: 3,
  warmUp: false,
  limitSeconds: 600,
  async open(context) {
    if (!memoryOf([process.pid])) throw new Unavailable('This system has no smaps_rollup');
    const registry = await deploySubjects(context, subjectsOf(context));
    return oneEach(context, (subject) => [
      [
        `ours, ${subject.title}`,
        () => {
          const supervisor = new context.library.main.AlgorithmSupervisor({ registry, worker: 'bundled' });
          context.onClose(() => supervisor.close());
          const { name, version } = targetOf(subject);
          const pss = async (workers: number) => {
            await supervisor.start(name, version, { workers });
            const call = () => supervisor.execute({ target: { name, version }, stepIndex: 1, image: IMAGE });
            await Promise.all(Array.from({ length: workers }, () => each(20, call)));
            const memory = memoryOf(workersOf(supervisor, subject));
            await supervisor.stop(name, version);
            return (memory?.pssMiB ?? NaN) / workers;
          };
          return { round: async () => ({ one: await pss(1), eachOfFour: await pss(4) }) };
        },
      ],
      [
        `bare import, ${subject.title}`,
        () => {
          const look = 'print(open("/proc/self/smaps_rollup").read())';
          const code = `${subject.imports}\nimport procvision_algorithm_sdk\n${look}`;
          return {
            round: () => {
              const options = { env: bareEnvironment(), encoding: 'utf8' } as const;
              const text = execFileSync(pythonIn(registry, subject), ['-c', code], options);
              return Promise.resolve({ one: Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? NaN) / 1_024 });
            },
          };
        },
      ],
    ]);
  },
};

/** Callers who call one after the other until they are stopped; what failed and how long each call took. */
class Load {
  readonly times: number[] = [];
  readonly #callers: Promise<unknown>[];
  #isOver = false;

  constructor(supervisor: AlgorithmSupervisor, callers: number) {
    const call = () => supervisor.execute({ pid: 'A', stepIndex: 1, image: IMAGE });
    this.#callers = Array.from({ length: callers }, async () => {
      while (!this.#isOver) this.times.push(await timed(call));
    });
  }

  /** A call that failed makes this reject. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }
}

const switching: BenchCase = {
  name: 'real/switch',
  measures:
    'A switch to a version that is not running, with OpenCV, ONNX Runtime and scikit-learn on two workers, while four callers call; no call may fail',
  figures: { switch: { unit: 'ms' }, slowest: { unit: 'ms' }, p50: { unit: 'ms' }, p99: { unit: 'ms' } },
  bars: [{ figure: 'slowest', contestant: 'ours, with a switch', over: 'ours, without', atMost: 1.5 }],
  rounds: 5,
  warmUp: false,
  limitSeconds: 600,
  async open(context: BenchContext) {
    // A quick run takes NumPy alone, as in the cases above: its workers import for a tenth of the time.
    const subject = context.quick ? NUMPY : WITH_LEARNING;
    const { name } = subject;
    const registry = await deploySubjects(context, [subject], ['1.0.0', '2.0.0']);
    await registry.activate({ name, version: '1.0.0', pids: ['A'] });
    const policy = { workers: 2 };
    const supervisor = new context.library.main.AlgorithmSupervisor({ registry, worker: 'bundled', policy });
    context.onClose(() => supervisor.close());
    await supervisor.execute({ pid: 'A', stepIndex: 1, image: IMAGE });
    const underLoad = async (work: () => Promise<unknown>) => {
      const load = new Load(supervisor, 4);
      await sleep(200);
      const took = await timed(work);
      await sleep(200);
      await load.stop();
      const slowest = Math.max(...load.times);
      return { took, figures: { slowest, p50: median(load.times), p99: percentile(load.times, 0.99) } };
    };
    let switches = 0;
    let lastTook = 1_000;
    return {
      'ours, with a switch': () => ({
        round: async () => {
          const from = switches % 2 ? '2.0.0' : '1.0.0';
          const version = switches++ % 2 ? '1.0.0' : '2.0.0';
          const switched = () => supervisor.switch({ name, version, pids: ['A'] });
          const { took, figures } = await underLoad(switched);
          await supervisor.stop(name, from); // the next switch finds it not running
          // On a busy machine a switch takes a minute: a quick run does not call for another one without a switch.
          lastTook = context.quick ? Math.min(took, 1_000) : took;
          return { switch: took, ...figures };
        },
      }),
      'ours, without': () => ({ round: async () => (await underLoad(() => sleep(lastTook))).figures }),
    };
  },
};

export const cases: BenchCase[] = [coldStart, memory, switching];
