import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { WarmStartEvent } from '../../src/supervisor/events.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { startScript } from '../support/child-script.js';
import { deployVersion } from '../support/deployed-version.js';

const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

interface Algorithm {
  /** Lines at the level of the module, which is imported before the fork. */
  head?: string;
  /** Lines of `execute` before its answer. */
  body?: string;
  verdict?: string;
  /** How long the import takes: a fork must be sooner ready than a worker with it, on a busy machine too. @defaultValue 0.5 */
  importSeconds?: number;
}

/** Importing takes as long as that of a small numeric library. */
function slowToImport({
  head = '',
  body = 'pass',
  verdict = '"OK"',
  importSeconds = 0.5,
}: Algorithm): string {
  return `import os, subprocess, sys, threading, time
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
time.sleep(${importSeconds})
IMPORTED_BY = os.getpid()
${head}

class Algorithm(BaseAlgorithm):
    def __init__(self):
        self.calls = 0

    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}

    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        self.calls += 1
        image = read_image_from_shared_memory(shared_mem_id, image_meta)
        debug = {"forked": IMPORTED_BY != os.getpid(), "calls": self.calls, "pixel": int(image[0, 0, 0])}
        ${body.replaceAll('\n', '\n        ')}
        verdict = ${verdict}
        return {"status": "OK", "message": "", "data": {"result_status": verdict, "ng_reason": "x", "defect_rects": [], "debug": debug}}
`;
}

async function station(algorithm: Algorithm, policy: Partial<SupervisorPolicy> = {}) {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const entry = await deployVersion(store.registry, { source: slowToImport(algorithm) });
  // As an install finds it out: versions without NumPy are not looked at.
  await store.registry.register({ ...entry, has_numpy: true });
  const supervise = (worker: 'sdk' | 'bundled' = 'bundled', more: Partial<SupervisorPolicy> = {}) =>
    store.supervise({ worker, policy: { stableMs: 1, backoffMs: 1, ...policy, ...more } });
  return { store, supervise };
}

type Supervisor = ReturnType<Awaited<ReturnType<typeof station>>['supervise']>;

const decided = (supervisor: Supervisor) =>
  new Promise<WarmStartEvent>((resolve) => supervisor.once('warmStart', resolve));
const ready = (supervisor: Supervisor) =>
  new Promise<number>((resolve) =>
    supervisor.once('ready', ({ startMs }) => {
      resolve(startMs);
    }),
  );
const statusOf = (supervisor: Supervisor) => supervisor.status()[0];
const debugOf = async (supervisor: Supervisor) =>
  (await supervisor.execute({ target, stepIndex: 1, image })).data.debug as Record<string, unknown>;

/** A worker that was forked, where the first was started cold. */
async function forked(
  algorithm: Algorithm,
  policy: Partial<SupervisorPolicy> = {},
  worker?: 'sdk' | 'bundled',
) {
  const { store, supervise } = await station(algorithm, policy);
  const supervisor = supervise(worker);
  const decision = decided(supervisor);
  await supervisor.start(...(Object.values(target) as [string, string]));
  const cold = statusOf(supervisor)?.workers[0];
  const event = await decision;
  const next = ready(supervisor);
  process.kill(cold?.processId ?? -1, 'SIGKILL');
  const startMs = await next;
  return { store, supervise, supervisor, cold, event, startMs, worker: statusOf(supervisor)?.workers[0] };
}

const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** From now on a process gets so many descriptors, and no more. */
function limitDescriptors(pid: number, left: number): void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  for (let free = 0; open.has(limit) || free < left; limit++) if (!open.has(limit)) free += 1;
  const source =
    'import resource, sys; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)';
  execFileSync('python3', ['-c', source, String(pid), String(limit)]);
}

describe.runIf(process.platform === 'linux')('on Linux', () => {
  // Both at once: most of it is waiting for the import.
  test('after a start of 2 s under either worker, the next worker is forked, sooner ready, in the same bounds, and answers the same', async () => {
    const startNext = async (flavour: 'sdk' | 'bundled') => {
      const { supervisor, supervise, event, startMs, cold, worker } = await forked(
        { importSeconds: 2 },
        {},
        flavour,
      );
      expect(event).toMatchObject({ ...target, mode: 'warm' });
      expect(event.warmMs).toBeLessThan(event.coldMs ?? 0);
      expect(startMs).toBeLessThan(event.coldMs ?? 0);
      expect(worker?.bounds).toEqual(cold?.bounds);
      expect(await debugOf(supervisor)).toEqual({ forked: true, calls: 1, pixel: 200 });
      expect(statusOf(supervisor)?.warmStart).toMatchObject({
        mode: 'warm',
        serverProcessId: expect.any(Number) as number,
      });
      await supervisor.close();
      // It was kept in the store: on the next host also the first worker is forked.
      const next = supervise(flavour);
      expect(await debugOf(next)).toEqual({ forked: true, calls: 1, pixel: 200 });
    };
    await Promise.all([startNext('sdk'), startNext('bundled')]);
  });

  test.each([
    ['starts a thread', 'threading.Thread(target=time.sleep, args=(600,), daemon=True).start()', /thread/],
    [
      'starts a process',
      'CHILD = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])',
      /process/,
    ],
    ['opens a connection', 'import socket\nSOCKET = socket.socket()', /connection/],
  ])('a version whose import %s is started cold, with the reason in status()', async (_, head, reason) => {
    const { supervise } = await station({ head });
    const supervisor = supervise();
    const decision = decided(supervisor);
    await supervisor.start('sample', '1.0.0');
    expect(await decision).toMatchObject({ mode: 'cold', reason });
    expect(statusOf(supervisor)?.warmStart).toMatchObject({ mode: 'cold', reason });
    expect(await debugOf(supervisor)).toMatchObject({ forked: false });
  });

  test.each([
    ['answers otherwise', { verdict: '"OK" if IMPORTED_BY == os.getpid() else "NG"' }, /differently/],
    [
      'sees another picture',
      { body: 'debug = {"pixel": debug["pixel"] if IMPORTED_BY == os.getpid() else 1}' },
      /differently/,
    ],
    [
      'does not answer',
      { body: 'if IMPORTED_BY != os.getpid(): time.sleep(600)' },
      /does not answer a call: timeout/,
    ],
    [
      'leaves',
      { body: 'if IMPORTED_BY != os.getpid(): os._exit(3)' },
      /does not answer a call: worker_exited/,
    ],
  ])(
    'a version that %s after a fork is started cold, and no call of the line has seen it',
    async (_, algorithm, reason) => {
      const { supervise } = await station(algorithm, { executeTimeoutMs: 1_500 });
      const supervisor = supervise();
      const decision = decided(supervisor);
      await supervisor.start('sample', '1.0.0');
      expect(await decision).toMatchObject({ mode: 'cold', reason });
      expect(statusOf(supervisor)).toMatchObject({ restarts: 0, warmStart: { mode: 'cold', reason } });
      expect(await debugOf(supervisor)).not.toMatchObject({ forked: true });
    },
  );

  test('what a forked worker has started in a session of its own ends with it, and its siblings go on', async () => {
    const body = `if "daemon" in (user_params or {}):
    debug["child"] = subprocess.Popen(["sleep", "600"], start_new_session=True).pid
    debug["token"] = os.environ.get("PROCVISION_WORKER")`;
    const { supervisor } = await forked({ body });
    await supervisor.start('sample', '1.0.0', { workers: 2 });
    const reply = await supervisor.execute({ target, stepIndex: 1, image, userParams: { daemon: 1 } });
    const { child } = reply.data.debug as { child: number };
    const at = reply.worker;
    const other = statusOf(supervisor)?.workers.find(({ worker }) => worker !== at);
    const own = statusOf(supervisor)?.workers.find(({ worker }) => worker === at)?.processId ?? -1;
    const daemon = descendantOf(own, child);
    expect(isAlive(daemon)).toBe(true);
    const exited = new Promise<void>((resolve) =>
      supervisor.once('exit', () => {
        resolve();
      }),
    );
    process.kill(own, 'SIGKILL');
    await exited;
    await expect.poll(() => isAlive(daemon)).toBe(false);
    expect(isAlive(other?.processId ?? -1)).toBe(true);
  });

  test('each forked worker has shared memory and own files of its own, with what the import left there', async () => {
    const head = 'open(os.path.join(os.environ["TMPDIR"], "left"), "w").write("by the import")';
    const body = `debug["own"] = str(os.getpid())
debug["left"] = open(os.path.join(os.environ["TMPDIR"], "left")).read()
debug["seen"] = sorted(os.listdir("/dev/shm") + os.listdir(os.environ["TMPDIR"]))
open("/dev/shm/" + str(os.getpid()), "w").close()
open(os.path.join(os.environ["TMPDIR"], str(os.getpid())), "w").close()`;
    const { supervisor } = await forked({ head, body });
    await supervisor.start('sample', '1.0.0', { workers: 2 });
    const answers = await Promise.all([debugOf(supervisor), debugOf(supervisor)]);
    expect(answers).toHaveLength(2);
    for (const { left, seen, own, forked: isForked } of answers) {
      expect(isForked).toBe(true);
      expect(left).toBe('by the import');
      expect((seen as string[]).filter((name) => /^\d+$/.test(name) && name !== own)).toEqual([]);
    }
  });

  test('when the fork server is killed its workers are replaced cold, once, with the circuit closed, and calls go on', async () => {
    const { supervisor } = await forked({}, { maxCrashes: 2, maxRestarts: 1 });
    await supervisor.start('sample', '1.0.0', { workers: 3 });
    // On a busy machine a fork may have failed, and the next server is on its way.
    const server = () => statusOf(supervisor)?.warmStart.serverProcessId;
    await expect.poll(server).toBeDefined();
    process.kill(server() ?? -1, 'SIGKILL');
    const answers = await Promise.all(Array.from({ length: 6 }, () => debugOf(supervisor)));
    expect(answers.length).toBe(6);
    expect(statusOf(supervisor)).toMatchObject({ circuit: 'closed' });
    await expect
      .poll(() => statusOf(supervisor)?.workers.filter(({ state }) => state === 'idle').length)
      .toBe(3);
  });

  test('a server that nobody was forked from for idleServerMs ends, and the next worker starts cold', async () => {
    const { supervise } = await station({}, { idleServerMs: 50 });
    const supervisor = supervise();
    const decision = decided(supervisor);
    await supervisor.start('sample', '1.0.0');
    expect(await decision).toMatchObject({ mode: 'warm' });
    await expect
      .poll(() => statusOf(supervisor)?.warmStart)
      .toEqual(expect.not.objectContaining({ serverProcessId: expect.anything() as number }));
    expect(statusOf(supervisor)?.warmStart).toMatchObject({ mode: 'warm' });
    expect(await debugOf(supervisor)).toMatchObject({ forked: false });
  });

  test('a version that was stopped starts again from its server, which still stands', async () => {
    const { supervisor } = await forked({});
    const before = statusOf(supervisor)?.warmStart.serverProcessId;
    await supervisor.stop('sample', '1.0.0');
    expect(await debugOf(supervisor)).toEqual({ forked: true, calls: 1, pixel: 200 });
    expect(statusOf(supervisor)?.warmStart.serverProcessId).toBe(before);
  });

  test('a version that is uninstalled takes its server with it', async () => {
    const { store, supervisor } = await forked({});
    const { serverProcessId = -1 } = statusOf(supervisor)?.warmStart ?? {};
    await supervisor.stop('sample', '1.0.0');
    expect(isAlive(serverProcessId)).toBe(true);
    await store.registry.unregister('sample', '1.0.0');
    await expect.poll(() => isAlive(serverProcessId)).toBe(false);
  });

  test("with policy.warmStart 'off' no server is started, though the store knows that the version may be forked", async () => {
    const { supervisor: before, supervise } = await forked({});
    await before.close();
    const supervisor = supervise('bundled', { warmStart: 'off' });
    await supervisor.start('sample', '1.0.0');
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
      .trim()
      .split(' ');
    expect(children).toHaveLength(1); // the keeper of the worker
    expect(await debugOf(supervisor)).toMatchObject({ forked: false });
  });

  test('a trial gives its pictures back to the pool', async () => {
    const { store } = await station({});
    const frames = new FramePool();
    onTestFinished(() => frames.close());
    const supervisor = store.supervise({ worker: 'bundled', frames, policy: { stableMs: 1 } });
    const decision = decided(supervisor);
    await supervisor.start('sample', '1.0.0');
    await decision;
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  });

  test('a server that stands still is ended, and the worker that waits for it starts cold', async () => {
    const { supervisor } = await forked({}, { limits: { helloMs: 3_000 } });
    const { serverProcessId = -1 } = statusOf(supervisor)?.warmStart ?? {};
    process.kill(serverProcessId, 'SIGSTOP');
    await supervisor.scale('sample', '1.0.0', 2);
    expect(statusOf(supervisor)?.workers.map(({ state }) => state)).toContain('idle');
    await supervisor.close();
    expect(isAlive(serverProcessId)).toBe(false);
  });

  // A fork takes more of them, for pipes: it fails at its first, or with some of its own open. All at once: it is waiting for imports.
  test('a fork that the system refuses, with 0, 3 or 6 descriptors left, leaves the workers that live, and the next ones start cold', async () => {
    const forkWith = async (left: number) => {
      const { supervisor, worker, event } = await forked({ importSeconds: 3 });
      expect(event).toMatchObject({ mode: 'warm' });
      const { serverProcessId = -1 } = statusOf(supervisor)?.warmStart ?? {};
      limitDescriptors(serverProcessId, left);
      await supervisor.scale('sample', '1.0.0', 3);
      expect(statusOf(supervisor)?.workers.map(({ state }) => state)).toEqual(Array(3).fill('idle'));
      expect(statusOf(supervisor)?.workers[0]?.processId).toBe(worker?.processId);
      expect(isAlive(serverProcessId)).toBe(true);
      expect(statusOf(supervisor)?.warmStart).toMatchObject({
        mode: 'cold',
        reason: expect.stringMatching(/could not fork a worker/) as string,
      });
    };
    await Promise.all([0, 3, 6].map(forkWith));
  });

  test("with policy.warmStart 'off' no server is started", async () => {
    const { supervise } = await station({});
    const supervisor = supervise('bundled', { warmStart: 'off' });
    await supervisor.start('sample', '1.0.0');
    expect(await debugOf(supervisor)).toMatchObject({ forked: false });
    expect(statusOf(supervisor)?.warmStart).toEqual({ mode: 'cold', reason: "policy.warmStart is 'off'" });
  });

  test.each(['import', 'fork', 'calls'])(
    'a host killed during "%s" leaves neither server, worker, keeper nor what workers have started',
    async (moment) => {
      const body = `if "hang" in (user_params or {}):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    time.sleep(600)`;
      const { store } = await station({ body });
      const { root } = store.registry.layout;
      const host = await startScript('forking-host.ts', [root, moment]);
      expect(await host.end).toMatchObject({ signal: 'SIGKILL', stderr: '' });
      await expect.poll(() => processesOf(root)).toEqual([]);
    },
  );

  const restarts = Number(process.env.WARM_RESTARTS ?? 5);
  test(`${restarts} restarts of a forked worker leave the server with the descriptors, children and memory that it had`, async () => {
    const { supervisor } = await forked({}, { maxCrashes: 1_000_000, maxRestarts: 1_000_000 });
    const { serverProcessId: pid = -1 } = statusOf(supervisor)?.warmStart ?? {};
    const held = () => ({
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      children: readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').length,
    });
    const privateKib = () =>
      Number(/^Private_Dirty:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
    const before = held();
    const memory = privateKib();
    for (let round = 0; round < restarts; round++) {
      const next = ready(supervisor);
      process.kill(statusOf(supervisor)?.workers[0]?.processId ?? -1, 'SIGKILL');
      await next;
    }
    await expect.poll(held).toEqual(before);
    expect(privateKib() - memory).toBeLessThan(4_096);
    expect(await debugOf(supervisor)).toMatchObject({ forked: true });
  });

  test('without namespaces a forked worker has a keeper as well, and a folder for its own files that goes with it', async () => {
    const body = 'debug["folder"] = os.environ["TMPDIR"]';
    const { supervisor, cold, worker } = await forked({ body }, { namespaces: 'off' });
    expect(worker?.bounds).toEqual({
      ...cold?.bounds,
      scratch: { folder: expect.any(String) as string, bytes: null },
    });
    const { folder } = await debugOf(supervisor);
    expect(existsSync(String(folder))).toBe(true);
    await supervisor.stop('sample', '1.0.0');
    expect(existsSync(String(folder))).toBe(false);
  });
});

/** The id out here of a process that is `inside` for the worker. */
function descendantOf(pid: number, inside: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  for (const child of children) {
    const numbers = /^NSpid:(.*)$/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? '';
    if (numbers.trim().split(/\s+/).map(Number).at(-1) === inside) return child;
  }
  throw new Error(`${pid} has no child ${inside}`);
}

/** Whatever has a part of the store in its variables: they are inherited. */
function processesOf(root: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`PROC_ALGO_ROOT=${root}`)
      );
    } catch {
      return false;
    }
  });
}
