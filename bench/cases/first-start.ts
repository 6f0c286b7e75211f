/** What the byte code that an install makes saves: the first start of a worker beside the second. And the time that it takes. */
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { Unavailable, type BenchCase, type BenchContext, type Contestant } from '../harness/case.js';
import { timed } from '../harness/statistics.js';
import { WHEELS_PYTHON } from '../support/wheels.js';
import { NUMPY, OPENCV, SCIKIT_IMAGE, subjectPackage, type Subject } from '../support/subjects.js';

const VERSION = '1.0.0';
const ALL = [NUMPY, OPENCV, SCIKIT_IMAGE];
/** A user without an account, where the bench is root. */
const ANOTHER = 54_321;
const isRoot = process.getuid?.() === 0;
const USERS: readonly (readonly [who: string, uid: number | undefined])[] = [
  ['', undefined],
  [' as another user', ANOTHER],
];

/** An interpreter that every user may run. */
async function pythonForAll({ library }: BenchContext): Promise<string> {
  const interpreters = await new library.main.VenvManager().interpreters();
  for (const { path: file, version } of interpreters) {
    if (version.startsWith(`${WHEELS_PYTHON}.`) && (await isForAll(await realpath(file)))) return file;
  }
  throw new Unavailable(`There is no Python ${WHEELS_PYTHON} that another user may run`);
}

async function isForAll(file: string): Promise<boolean> {
  const mayEnter = ((await stat(file)).mode & 0o001) !== 0;
  return mayEnter && (file === path.dirname(file) || (await isForAll(path.dirname(file))));
}

/** A subject in a store of its own, which is installed again and again, and started by one user. */
async function station(context: BenchContext, subject: Subject, uid: number | undefined) {
  const { AlgorithmSupervisor, Deployer, Registry, VenvManager } = context.library.main;
  const root = path.join(context.folder, `${subject.name}-${uid ?? 'own'}`);
  await mkdir(root, { recursive: true });
  await chmod(context.folder, 0o755); // workers of another user go through it
  const registry = await Registry.open(root);
  const venvs = new VenvManager(uid === undefined ? {} : { python: await pythonForAll(context) });
  const deployer = new Deployer({ registry, venvs });
  // Each start is that of a whole process: none is forked from a server that has the imports of the last.
  const policy = { warmStart: 'off', ...(uid !== undefined && { uid }) } as const;
  const supervisor = new AlgorithmSupervisor({ registry, worker: 'bundled', policy });
  context.onClose(async () => {
    await supervisor.close();
    await deployer.close();
    await registry.close();
  });
  const zip = await subjectPackage(context, subject);
  let compileMs = NaN;
  deployer.on('compiled', ({ durationMs }) => (compileMs = durationMs));
  /** Time of the whole, and of the byte code in it. */
  const install = async () => {
    const total = await timed(() => deployer.install(zip, { force: true }));
    return { total, compile: compileMs };
  };
  const start = async () => {
    const time = await timed(() => supervisor.start(subject.name, VERSION));
    await supervisor.stop(subject.name, VERSION);
    return { time };
  };
  // A quick run has one round, whose first contestant installs and starts it: nothing has to be warm for rough figures.
  if (!context.quick) {
    await install();
    await start();
  }
  return { install, start };
}

function contestants(context: BenchContext, subject: Subject, [who, uid]: (typeof USERS)[number]) {
  let opening: ReturnType<typeof station> | undefined;
  const opened = () => (opening ??= station(context, subject, uid));
  const round = (work: (one: Awaited<ReturnType<typeof station>>) => Promise<Record<string, number>>) => {
    return (): Contestant => ({ round: async () => work(await opened()) });
  };
  const title = `${subject.title}${who}`;
  return {
    [`ours, first start of ${title}`]: round(async ({ install, start }) => {
      await install();
      return start();
    }),
    [`ours, second start of ${title}`]: round(async ({ start }) => {
      await start(); // another contestant may have installed it since
      return start();
    }),
    ...(uid === undefined && {
      [`ours, install of ${title}`]: round(async ({ install }) => ({ time: (await install()).total })),
      [`ours, byte code of ${title}`]: round(async ({ install }) => ({ time: (await install()).compile })),
    }),
  };
}

const firstStart: BenchCase = {
  name: 'deploy/first-start',
  measures:
    'Start of a worker right after an install and the one after it; an install of a version whose wheels are in the store, and the byte code in it',
  figures: { time: { unit: 'ms' } },
  bars: ALL.flatMap(({ title }) => [
    ...USERS.slice(0, isRoot ? 2 : 1).map(([who]) => ({
      figure: 'time',
      contestant: `ours, first start of ${title}${who}`,
      over: `ours, second start of ${title}${who}`,
      atMost: 1.15,
    })),
    {
      figure: 'time',
      contestant: `ours, byte code of ${title}`,
      over: `ours, install of ${title}`,
      atMost: 0.25,
    },
  ]),
  limitSeconds: 600,
  open: (context) => {
    const subjects = context.quick ? ALL.slice(0, 1) : ALL;
    const users = USERS.slice(0, isRoot ? 2 : 1);
    const all = subjects.flatMap((subject) => users.map((user) => contestants(context, subject, user)));
    return Promise.resolve(Object.assign({}, ...all) as ReturnType<typeof contestants>);
  },
};

export const cases: BenchCase[] = [firstStart];
