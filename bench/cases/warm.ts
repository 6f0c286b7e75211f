/** Workers that are forked from a server that has imported the version, against workers that are started cold (Linux). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlgorithmSupervisor, Registry, SupervisorPolicy } from '../../src/index.js';
import { Unavailable, type BenchCase, type BenchContext, type Contestant } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { descendantsOf, memoryOf } from '../support/processes.js';
import { deploySubjects, ONNX_RUNTIME, OPENCV, type Subject } from '../support/subjects.js';

const VERSION = '1.0.0';
/** Until when it is decided whether a version is forked. */
const TRIAL_MS = 60_000;
const IMAGE = { data: new Uint8Array(640 * 480 * 3).fill(7), width: 640, height: 480 };
const SUBJECTS: readonly Subject[] = [OPENCV, ONNX_RUNTIME];
const subjectsOf = ({ quick }: BenchContext) => (quick ? SUBJECTS.slice(0, 1) : SUBJECTS);
const WAYS = ['forked', 'cold'] as const;
type Way = (typeof WAYS)[number];

const contestantOf = (way: Way, { title }: Subject) => `ours, ${way}, ${title}`;
const pairOf = (subject: Subject) => ({
  contestant: contestantOf('forked', subject),
  over: contestantOf('cold', subject),
});

/** A started version whose next workers are forked, or are not. */
async function started(
  context: BenchContext,
  registry: Registry,
  { name }: Subject,
  way: Way,
  policy: Partial<SupervisorPolicy> = {},
): Promise<AlgorithmSupervisor> {
  if (process.platform !== 'linux') throw new Unavailable('Workers are forked on Linux alone');
  const supervisor = new context.library.main.AlgorithmSupervisor({
    ...{ registry, worker: 'bundled' },
    policy: {
      stableMs: 1,
      backoffMs: 1,
      maxCrashes: 1_000,
      maxRestarts: 1_000,
      ...policy,
      warmStart: way === 'cold' ? 'off' : 'auto',
    },
  });
  context.onClose(() => supervisor.close());
  const decided = new Promise((resolve) => supervisor.once('warmStart', resolve));
  await supervisor.start(name, VERSION);
  if (way === 'cold') return supervisor;
  const status = () => supervisor.status()[0]?.warmStart;
  // A worker that starts at once is tried by nobody.
  if (status()?.mode === 'open') await Promise.race([decided, sleep(TRIAL_MS, undefined, { ref: false })]);
  const { mode, reason = 'no trial has decided it' } = status() ?? {};
  if (mode !== 'warm') throw new Unavailable(`It is not forked here: ${reason}`);
  return supervisor;
}

const nextReady = (supervisor: AlgorithmSupervisor) =>
  new Promise<number>((resolve) => {
    supervisor.once('ready', ({ startMs }) => {
      resolve(startMs);
    });
  });

/** Each way with each subject. */
function bothWays(
  context: BenchContext,
  open: (subject: Subject, way: Way) => Promise<Contestant>,
): Record<string, () => Promise<Contestant>> {
  return Object.fromEntries(
    subjectsOf(context).flatMap((subject) =>
      WAYS.map((way) => [contestantOf(way, subject), () => open(subject, way)] as const),
    ),
  );
}

const ready: BenchCase = {
  name: 'warm/ready',
  measures:
    'From the start of a further worker to ready, bounds included, and from the SIGKILL of a worker until its place is ready again',
  figures: { ready: { unit: 'ms' }, recovery: { unit: 'ms' } },
  bars: SUBJECTS.flatMap((subject) => [
    { figure: 'ready', ...pairOf(subject), atMost: 0.15 },
    { figure: 'recovery', ...pairOf(subject), atMost: 0.3 },
  ]),
  rounds: 9,
  limitSeconds: 600,
  async open(context) {
    const registry = await deploySubjects(context, subjectsOf(context));
    return bothWays(context, async (subject, way) => {
      const supervisor = await started(context, registry, subject, way);
      const { name } = subject;
      return {
        round: async () => {
          const further = nextReady(supervisor);
          await supervisor.scale(name, VERSION, 2);
          const startMs = await further;
          await supervisor.scale(name, VERSION, 1);
          const recovery = await timed(async () => {
            const again = nextReady(supervisor);
            const { processId } = supervisor.status()[0]?.workers[0] ?? {};
            if (processId === undefined) throw new Error('no worker stands that could be killed');
            process.kill(processId, 'SIGKILL');
            await again;
          });
          return { ready: startMs, recovery };
        },
      };
    });
  },
};

const memory: BenchCase = {
  name: 'warm/memory',
  measures: 'PSS of four workers, their keepers and the fork server after a call each (smaps_rollup)',
  figures: { four: { unit: 'MiB' } },
  bars: [{ figure: 'four', ...pairOf(OPENCV), atMost: 0.7 }],
  rounds: 3,
  warmUp: false,
  limitSeconds: 600,
  async open(context) {
    if (!memoryOf([process.pid])) throw new Unavailable('This system has no smaps_rollup');
    const registry = await deploySubjects(context, subjectsOf(context));
    return bothWays(context, async (subject, way) => {
      const first = await started(context, registry, subject, way);
      await first.close(); // the next one forks its first worker, too
      return {
        round: async () => {
          const supervisor = await started(context, registry, subject, way, { workers: 4 });
          const target = { name: subject.name, version: VERSION };
          const call = () => supervisor.execute({ target, stepIndex: 1, image: IMAGE });
          await Promise.all(Array.from({ length: 16 }, call));
          const four = memoryOf(descendantsOf(process.pid))?.pssMiB ?? NaN;
          await supervisor.close();
          return { four };
        },
      };
    });
  },
};

const WITHOUT = 'ours, forked, without a switch';
const WARMED_UP = 'ours, forked, with a warm-up call';
/** Calls go on after the switch: the first one that the new version gets takes its libraries longer than the next. */
const CALLS_AFTER = 10;

/** What the contestants of the switch do; without a way there is none. */
const SWITCHES: readonly { contestant: string; way?: Way; warmUp?: { image: typeof IMAGE } }[] = [
  ...WAYS.map((way) => ({ contestant: contestantOf(way, OPENCV), way })),
  { contestant: WARMED_UP, way: 'forked', warmUp: { image: IMAGE } },
  { contestant: WITHOUT },
];

const switching: BenchCase = {
  name: 'warm/switch',
  measures:
    'A switch to a version that is not running, while one caller calls: how long it takes, and the longest call until ten that the new version has answered',
  figures: { switch: { unit: 'ms' }, slowest: { unit: 'ms' } },
  bars: [
    { figure: 'switch', ...pairOf(OPENCV), atMost: 0.3 },
    { figure: 'slowest', contestant: contestantOf('forked', OPENCV), over: WITHOUT, atMost: 1.2 },
    { figure: 'slowest', contestant: WARMED_UP, over: WITHOUT, atMost: 1.2 },
  ],
  rounds: 9,
  limitSeconds: 600,
  async open(context) {
    const versions = ['1.0.0', '2.0.0'];
    const registry = await deploySubjects(context, [OPENCV], versions);
    const { name } = OPENCV;
    await registry.activate({ name, version: '1.0.0', productIds: ['A'] });
    return Object.fromEntries(
      SWITCHES.map(({ contestant, way: wanted, warmUp }) => [
        contestant,
        async () => {
          const way = wanted ?? 'forked';
          const supervisor = await started(context, registry, OPENCV, way);
          await warmed(supervisor, name, '2.0.0', way);
          const caller = { isOver: false, calls: 0 };
          const call = () => supervisor.execute({ productId: 'A', stepIndex: 1, image: IMAGE });
          await call();
          return {
            round: async () => {
              const from = registry.productIdsOf(name, '1.0.0').length > 0 ? '1.0.0' : '2.0.0';
              const version = versions.find((other) => other !== from) ?? '';
              await supervisor.start(name, from);
              await supervisor.stop(name, version);
              let slowest = 0;
              caller.isOver = false;
              const calling = (async () => {
                for (; !caller.isOver || caller.calls > 0; caller.calls--)
                  slowest = Math.max(slowest, await timed(call));
              })();
              const took = await timed(() =>
                wanted
                  ? supervisor.switch({ name, version, productIds: ['A'], ...(warmUp && { warmUp }) })
                  : sleep(150),
              );
              caller.calls = CALLS_AFTER;
              caller.isOver = true;
              await calling;
              return { ...(wanted && { switch: took }), slowest };
            },
          };
        },
      ]),
    );
  },
};

/** Its server is up, and no worker of it. */
async function warmed(
  supervisor: AlgorithmSupervisor,
  name: string,
  version: string,
  way: Way,
): Promise<void> {
  const decided = new Promise((resolve) => supervisor.once('warmStart', resolve));
  await supervisor.start(name, version);
  const status = supervisor.status().find((one) => one.version === version);
  if (way === 'forked' && status?.warmStart.mode === 'open') await decided;
  await supervisor.stop(name, version);
}

export const cases: BenchCase[] = [ready, memory, switching];
