/**
 * What only a Windows shows: run by a Windows Node, `node checks.mjs DIST [WORDS]`, with a Python on PATH: all
 * checks, or those with these words in their name. Prints a line for each
 * check and ends with `N passed, M failed`; the exit code is 1 when one failed.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, openSync, closeSync } from 'node:fs';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const dist = pathToFileURL(process.argv[2] + path.sep).href;
const { AlgorithmSupervisor, AlgorithmWorker, Deployer, FramePool, Registry, RunnerError } = await import(
  `${dist}index.js`
);
const kit = await import(`${dist}testing/index.js`);

/** Starts a program that outlives it unless something ends that, and says which; then does as the call says. */
const STARTER = `import ctypes, multiprocessing, os, subprocess, sys, time
from procvision_algorithm_sdk import BaseAlgorithm

def where(queue):
    queue.put(sys.prefix)

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": [{"index": 1, "name": "a", "params": []}]}

    def pre_execute(self, *args, **more):
        return {"status": "OK", "data": {}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        wanted = (user_params or {}).get("do")
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False).pid
        with open(os.environ["TOLD"], "w") as file:
            file.write("%d %d" % (os.getpid(), child))
        if wanted == "exit":
            os._exit(3)
        if wanted == "crash":
            ctypes.string_at(0)
            os.kill(os.getpid(), 0xC0000005 - (1 << 32))
        if wanted == "status":
            ctypes.windll.kernel32.ExitProcess(ctypes.c_uint(int(user_params["code"], 16)))
        if wanted == "spawn":
            context = multiprocessing.get_context("spawn")
            queue = context.Queue()
            process = context.Process(target=where, args=(queue,))
            process.start()
            prefix = queue.get(timeout=60)
            process.join()
            return {"status": "OK", "data": {"result_status": "OK", "defect_rects": [], "debug": {"prefix": prefix}}}
        if wanted == "hang":
            time.sleep(600)
        if wanted == "work":
            kept = bytearray(int(user_params["bytes"]))
            end = time.monotonic() + 1
            while time.monotonic() < end:
                pass
        if wanted == "allocate":
            bytearray(int(user_params["bytes"]))
        return {"status": "OK", "data": {"result_status": "OK", "defect_rects": [], "debug": {
            "wine": hasattr(ctypes.windll.ntdll, "wine_get_version"), "pid": os.getpid(), "prefix": sys.prefix, "executable": sys.executable}}}
`;

/** What asks the system; without it what needs it is skipped. */
const koffi = (() => {
  try {
    return module.createRequire(path.join(process.argv[2], 'index.js'))('koffi');
  } catch {
    return undefined;
  }
})();
let passed = 0;
let failed = 0;
const LIMIT_MS = 90_000;
/** Of a check that does not end, what it waits for; the next one begins, so that the others are seen too. */
async function inTime(going) {
  const timer = new AbortController();
  const over = sleep(LIMIT_MS, undefined, { signal: timer.signal }).then(() => {
    const waiting = process.getActiveResourcesInfo().join(' ');
    throw new Error(`not done within ${LIMIT_MS / 1_000} s; open: ${waiting}`);
  });
  try {
    await Promise.race([going, over]);
  } finally {
    timer.abort();
    over.catch(() => undefined);
  }
}
async function check(name, work, isPossible = true) {
  if (!name.includes(process.argv[3] ?? '')) return;
  if (!isPossible) {
    console.log(`skip ${name}`);
    return;
  }
  const startedAt = performance.now();
  try {
    await inTime(work());
    passed++;
    console.log(`ok   ${name} (${Math.round(performance.now() - startedAt)} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${String(error?.stack ?? error).slice(0, 600)}`);
  }
}
const alive = (id) => {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
};
/** Whether it comes true in time. */
async function until(what, ms = 5_000) {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(20))
    if (await what()) return true;
  return false;
}
/**
 * Where an algorithm says what it has started. Each check has a file of its own: a name that was removed cannot be
 * written again while anybody has it open.
 */
let told = '';
let checks = 0;
const newTold = () => (told = path.join(base, `told-${++checks}`));
const readTold = () => (existsSync(told) ? readFileSync(told, 'utf8').split(' ').map(Number) : []);
const image = { data: new Uint8Array(32 * 32 * 3).fill(7), width: 32, height: 32 };

const base = mkdtempSync(path.join(os.tmpdir(), 'pv windows '));
const store = await kit.TemporaryStore.open();
await store.deploy({ source: STARTER });
const call = { productId: 'A01', stepIndex: 1, image };
async function supervised(work, { worker = 'sdk', policy = {} } = {}) {
  newTold();
  const supervisor = new AlgorithmSupervisor({
    ...{ registry: store.registry, worker },
    policy: { env: { TOLD: told }, retries: 0, ...policy },
  });
  try {
    await supervisor.start('sample', '1.0.0');
    return await work(supervisor);
  } finally {
    await supervisor.close();
  }
}
const worker = (supervisor) => supervisor.status()[0].workers[0];
const failure = (promise) =>
  promise.then(
    (result) => assert.fail(`no failure: ${JSON.stringify(result)}`),
    (error) => error,
  );
await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });

for (const flavour of ['sdk', 'bundled']) {
  const o = { worker: flavour };
  await check(`${flavour}: status() tells the id of the Python, in its environment and in a job`, () =>
    supervised(async (supervisor) => {
      const { processId, bounds } = worker(supervisor);
      assert.equal(bounds.processes, true);
      assert.deepEqual(bounds.missing, []);
      const { data } = await supervisor.execute(call);
      assert.equal(data.debug.pid, processId);
      const venv = store.registry.layout.venv('sample', '1.0.0');
      assert.equal(data.debug.prefix.toLowerCase(), venv.toLowerCase());
      assert.equal(
        path.dirname(data.debug.executable).toLowerCase(),
        path.join(venv, 'scripts').toLowerCase(),
      );
    }, o),
  );
  for (const [how, params, code] of [
    ['a stop', {}, undefined],
    ['an exit', { do: 'exit' }, 'worker_exited'],
    ['a timeout', { do: 'hang' }, 'timeout'],
    ['a kill', {}, undefined],
  ]) {
    await check(`${flavour}: what an algorithm has started ends with ${how} of its worker`, async () => {
      let child;
      await supervised(async (supervisor) => {
        const ended = supervisor.execute({
          ...call,
          userParams: params,
          ...(code === 'timeout' && { timeoutMs: 1_500 }),
        });
        if (code) assert.equal((await failure(ended)).code, code);
        else assert.equal((await ended).status, 'OK', JSON.stringify(await ended));
        const [id, one] = readTold();
        child = one;
        if (how === 'a kill') process.kill(id, 'SIGKILL');
        if (how !== 'a stop') assert.ok(await until(() => !alive(child)), `process ${child} lives`);
      }, o);
      assert.ok(child > 0 && (await until(() => !alive(child), 1_000)), `process ${child} lives`);
    });
  }
}

await check('a process of multiprocessing is in the environment of its worker', () =>
  supervised(async (supervisor) => {
    const { data } = await supervisor.execute({ ...call, userParams: { do: 'spawn' }, timeoutMs: 60_000 });
    const venv = store.registry.layout.venv('sample', '1.0.0');
    assert.equal(data.debug.prefix.toLowerCase(), venv.toLowerCase());
  }),
);

await check('what an algorithm has started ends within a second of the death of the host', async () => {
  newTold();
  const script = path.join(base, 'host.mjs');
  writeFileSync(
    script,
    `import { Registry, AlgorithmSupervisor } from ${JSON.stringify(`${dist}index.js`)};
const supervisor = new AlgorithmSupervisor({ registry: await Registry.open(${JSON.stringify(store.registry.layout.root)}),
  policy: { env: { TOLD: ${JSON.stringify(told)} } } });
await supervisor.execute({ productId: 'A01', stepIndex: 1, userParams: { do: 'hang' }, timeoutMs: 60000,
  image: { data: new Uint8Array(3072), width: 32, height: 32 } });`,
  );
  const host = spawn(process.execPath, [script], { stdio: 'ignore' });
  assert.ok(await until(() => readTold().length === 2 && readTold()[1] > 0, 20_000));
  const [id, child] = readTold();
  assert.ok(alive(id) && alive(child));
  host.kill('SIGKILL');
  assert.ok(await until(() => !alive(id) && !alive(child), 1_000));
});

for (const [code, name] of [
  ['C0000005', /0xC0000005, access violation/],
  ['C00000FD', /0xC00000FD, stack overflow/],
  ['C0000135', /0xC0000135, a missing DLL\): install the Visual C\+\+ Redistributable/],
  ['C0000409', /0xC0000409, fail fast/],
]) {
  await check(`an end with status ${code} is named`, () =>
    supervised(async (supervisor) => {
      const error = await failure(supervisor.execute({ ...call, userParams: { do: 'status', code } }));
      assert.equal(error.code, 'worker_exited');
      assert.match(error.message, name);
    }),
  );
}

await check(
  "what a worker starts with is compiled once: the library's own modules are kept as byte code",
  async () => {
    const folder = path.join(process.argv[2], 'worker', '__pycache__');
    const kept = () =>
      readdirSync(folder).flatMap((name) =>
        /^stages\..*\.bin$/.test(name) ? statSync(path.join(folder, name)).mtimeMs : [],
      );
    await supervised(() => undefined, { worker: 'bundled' });
    const first = kept();
    assert.equal(first.length, 1);
    await supervised(() => undefined, { worker: 'bundled' });
    assert.deepEqual(kept(), first);
  },
);

await check('policy.resources.addressSpaceBytes bounds the memory of a worker', () =>
  supervised(
    async (supervisor) => {
      const few = await supervisor.execute({ ...call, userParams: { do: 'allocate', bytes: 2 ** 20 } });
      assert.equal(few.status, 'OK');
      if (few.data.debug.wine) return; // Wine takes the limit and enforces none
      const error = await failure(
        supervisor.execute({ ...call, userParams: { do: 'allocate', bytes: 2 ** 29 } }),
      );
      assert.match(error.message, /MemoryError/);
    },
    { worker: 'bundled', policy: { resources: { addressSpaceBytes: 2 ** 28 } } },
  ),
);

await check('policy.resources.processes bounds what a worker starts', () =>
  supervised(
    async (supervisor) => {
      assert.deepEqual(worker(supervisor).bounds.missing, []);
      const ended = supervisor.execute({ ...call, userParams: { do: 'none' } });
      if ((await ended.catch(() => undefined))?.data.debug.wine) return; // Wine takes the limit and enforces none
      await assert.rejects(ended, /OSError|PermissionError/);
    },
    { worker: 'bundled', policy: { resources: { processes: 1 } } },
  ),
);

await check('policy.resources.cpus bounds the CPU of a worker, or says by its name that it does not', () =>
  supervised(
    async (supervisor) => {
      const { missing } = worker(supervisor).bounds;
      const { data } = await supervisor.execute(call);
      if (data.debug.wine) {
        assert.equal(missing.length, 1);
        assert.match(missing[0], /^policy\.resources\.cpus is without effect: /);
        return;
      }
      assert.deepEqual(missing, []);
      const going = supervisor.execute({ ...call, userParams: { do: 'work', bytes: 1 } });
      const shares = [];
      await until(() => void shares.push(worker(supervisor).cpu), 900);
      await going;
      const known = shares.filter((share) => share !== undefined);
      const mean = known.reduce((sum, share) => sum + share, 0) / known.length; // the system bounds it by intervals
      assert.ok(mean < 0.6, shares.join(' '));
    },
    { worker: 'bundled', policy: { resources: { cpus: 0.25 } } },
  ),
);

await check('resources that Windows does not have are told, by their names', () =>
  supervised(
    async (supervisor) => {
      const [files, scratch, ...rest] = worker(supervisor).bounds.missing;
      assert.match(files, /policy\.resources\.openFiles is without effect/);
      assert.match(scratch, /policy\.resources\.scratchBytes is without effect/);
      assert.deepEqual(rest, []);
    },
    { policy: { resources: { openFiles: 512, scratchBytes: 2 ** 20, nice: 10 } } },
  ),
);

await check('a program without a job ends without taskkill, and stop() comes back', async () => {
  const before = process.env.SystemRoot;
  const fake = new kit.FakeWorker();
  const one = new AlgorithmWorker(await fake.spec());
  await one.start();
  fake.answerOnce('execute', (given) => given.hang());
  process.env.SystemRoot = 'C:\\nowhere';
  try {
    assert.equal((await failure(one.call({ phase: 'execute' }, { timeoutMs: 300 }))).code, 'timeout');
    await one.stop();
    assert.ok(!alive(fake.processes[0].pid));
  } finally {
    process.env.SystemRoot = before;
    await fake.close();
  }
});

await check('a store that was moved verifies, and scripts of its wheels run there', async () => {
  const root = path.join(base, 'first place');
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry });
  const tool = {
    ...{ name: 'tool', version: '1.0', scripts: { tool: 'tool:main' } },
    files: { 'tool.py': 'import sys\ndef main(): print(sys.prefix)\n' },
  };
  const wheels = [{ file: kit.wheelFileName(tool), bytes: await kit.buildWheel(tool) }];
  const zip = path.join(base, 'moved-v1.0.0-offline.zip');
  const requirements = 'procvision_algorithm_sdk\ntool\n';
  writeFileSync(zip, await kit.buildPackage({ name: 'moved', version: '1.0.0', wheels, requirements }));
  await deployer.install(zip);
  await deployer.close();
  await registry.close();
  const other = path.join(base, 'other place');
  renameSync(root, other);
  const again = await Registry.open(other);
  const { intact } = await new Deployer({ registry: again }).verify('moved', '1.0.0');
  assert.equal(intact, true);
  const venv = again.layout.venv('moved', '1.0.0');
  const { stdout } = spawnSync(path.join(venv, 'Scripts', 'tool.exe'), { encoding: 'utf8' });
  assert.equal(stdout.trim().toLowerCase(), venv.toLowerCase());
  // Sealed files that a second name shares keep their seal when one of the names goes with its version.
  const file = path.join(again.layout.deployed('moved', '1.0.0'), 'algorithm', 'main.py');
  const shared = path.join(base, 'shared.py');
  chmodSync(file, 0o444);
  linkSync(file, shared);
  const deploying = new Deployer({ registry: again });
  await deploying.uninstall('moved', '1.0.0', { force: true });
  assert.ok(!existsSync(file));
  assert.equal(statSync(shared).mode & 0o222, 0);
  chmodSync(shared, 0o666);
  await deploying.close();
  await again.close();
});

const usesOf = (version) => {
  const folder = path.join(store.registry.layout.algorithms, '.uses', 'sample', version);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  return names.map((name) => path.join(folder, name));
};
/** Tells of each picture what it has read, of its whole, and writes into it. */
const READER = `from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

class Algorithm(BaseAlgorithm):
    kept = []

    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": [{"index": 1, "name": "a", "params": []}]}

    def pre_execute(self, *args, **more):
        return {"status": "OK", "data": {}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        picture = read_image_from_shared_memory(shared_mem_id, image_meta)
        values = set(bytes(memoryview(picture).cast("B")))
        before = [one[0, 0, 0] for one in self.kept]
        picture[0, 0, 0] = 255
        if (user_params or {}).get("keep"):
            self.kept = self.kept[-2:] + [picture]
        return {"status": "OK", "data": {"result_status": "OK", "defect_rects": [], "debug": {"values": sorted(values), "before": before}}}
`;
for (const flavour of ['sdk', 'bundled']) {
  await check(
    `${flavour}: frames are memory that the worker maps by its name: no file is written, and views that were kept see no other picture`,
    async () => {
      const version = flavour === 'sdk' ? '4.0.0' : '5.0.0';
      await store.deploy({ source: READER, version });
      const target = { name: 'sample', version };
      const directory = path.join(base, `frames ${flavour}`);
      const frames = new FramePool({ directory, maxBytes: 64e6 });
      const supervisor = new AlgorithmSupervisor({
        registry: store.registry,
        worker: flavour,
        frames,
        policy: { retries: 0, proof: 'full' },
      });
      try {
        const kept = [];
        for (let level = 1; level <= 40; level++) {
          const frame = await frames.lease({ width: 2_048, height: 1_120, channels: 3 }); // 6.9 MB
          const { pixels } = frame;
          pixels.fill(level);
          const userParams = { keep: level % 3 > 0 }; // the memory of the others goes with their call
          const { data, proof } = await supervisor.execute({
            target,
            stepIndex: 1,
            image: frame,
            userParams,
          });
          frame.release();
          assert.deepEqual(data.debug.values, [level]);
          // What the algorithm has kept and written into stays its own, and reaches neither host nor next picture.
          for (const value of data.debug.before) assert.equal(value, 255);
          assert.ok([level, undefined].includes(pixels[0])); // empty, where it was taken back
          assert.equal(proof.images[0].method, 'crc32');
          if (level % 10 === 0 || level < 16) kept.push({ pixels, level }); // more than the pool leaves to such views
          for (const one of kept) assert.ok([one.level, undefined].includes(one.pixels[0]));
          const files = readdirSync(directory, { recursive: true, withFileTypes: true });
          const pictures = files.filter((file) => file.isFile() && /\.(npy|bin)/.test(file.name));
          assert.deepEqual(pictures, []);
        }
        assert.equal((await frames.usage()).mapped, true);
        assert.equal(kept[0].pixels[0], 1);
        assert.equal(kept.at(-1).pixels.length, 0);
        kept[0].pixels.fill(200); // a view of a frame that was released
        const sent = { data: new Uint8Array(6 * 4 * 3).fill(9), width: 6, height: 4 };
        for (let n = 0; n < 3; n++) {
          const { data } = await supervisor.execute({ target, stepIndex: 1, image: sent });
          assert.deepEqual(data.debug.values, [9]);
        }
      } finally {
        await supervisor.close();
        await frames.close();
      }
      assert.deepEqual(readdirSync(directory), []);
    },
    koffi !== undefined,
  );
}

await check(
  'a version stays in use by a host that sleeps, by its pipe or its start time; not by another process with its id',
  async () => {
    await store.deploy({ source: STARTER, version: '3.0.0' });
    const script = path.join(base, 'user.mjs');
    writeFileSync(
      script,
      `import { Registry, AlgorithmSupervisor } from ${JSON.stringify(`${dist}index.js`)};
const supervisor = new AlgorithmSupervisor({ registry: await Registry.open(${JSON.stringify(store.registry.layout.root)}) });
await supervisor.start('sample', '3.0.0');
process.stdout.write('up');
setInterval(() => {}, 1000);`,
    );
    const host = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const started = await Promise.race([
      new Promise((resolve) => host.stdout.once('data', () => resolve('up'))),
      new Promise((resolve) => host.once('exit', (code) => resolve(`ended with ${code}`))),
    ]);
    assert.equal(started, 'up');
    const deploying = new Deployer({ registry: store.registry });
    const remove = () => deploying.uninstall('sample', '3.0.0');
    const [file] = usesOf('3.0.0');
    const mark = JSON.parse(readFileSync(file, 'utf8'));
    const writeOld = (changed) => {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ ...mark, ...changed }));
      utimesSync(file, new Date(0), new Date(0));
    };
    try {
      const kernel = koffi.load('kernel32.dll');
      const handle = kernel.func('intptr_t OpenProcess(uint32_t, int, uint32_t)')(0x800, 0, host.pid);
      koffi.load('ntdll.dll').func('int NtSuspendProcess(intptr_t)')(handle);
      assert.match(mark.startTime, /^\d{18}$/);
      assert.equal(mark.pid, host.pid);
      // By its named pipe alone, more often than that has room for callers; then by its start time alone.
      for (const changed of [...Array(5).fill({ startTime: '' }), { life: undefined }]) {
        writeOld(changed);
        assert.equal((await failure(remove())).code, 'unsafe_uninstall');
      }
    } finally {
      host.kill('SIGKILL'); // its worker goes with it, so that no program is in the folder that is to be removed
      await new Promise((resolve) => host.once('exit', resolve));
    }
    writeOld({ life: undefined, pid: process.pid });
    let last;
    const isRemoved = () =>
      remove().then(
        () => true,
        (error) => void (last = error),
      );
    assert.ok(await until(isRemoved, 10_000), String(last));
    assert.ok(!(await store.registry.list()).some(({ version }) => version === '3.0.0'));
    await deploying.close();
  },
  koffi !== undefined,
);

for (const flavour of ['sdk', 'bundled']) {
  await check(
    `${flavour}: status() tells the memory and CPU of the Python and of what it has started`,
    () =>
      supervised(
        async (supervisor) => {
          const idle = worker(supervisor).rssBytes;
          const going = supervisor.execute({ ...call, userParams: { do: 'work', bytes: 2 ** 28 } });
          assert.ok(await until(() => worker(supervisor).rssBytes > idle + 2 ** 28));
          const seen = [];
          // Of a core; that of the launcher, which only waits, is nothing. A busy machine leaves the Python a part of one.
          assert.ok(
            await until(() => (seen.push(worker(supervisor).cpu), seen.at(-1) > 0.1)),
            seen.join(' '),
          );
          await going;
          const { rssBytes } = worker(supervisor);
          // What it started is a Python too, which lives on.
          assert.ok(rssBytes > idle + 2 ** 22, `${rssBytes} of ${idle}`);
        },
        { worker: flavour },
      ),
    koffi !== undefined,
  );
}

await check(
  'a file of the store that another program has open for a moment is replaced after it',
  async () => {
    const registry = await Registry.open(path.join(base, 'held'));
    const entry = {
      ...{ name: 'sample', version: '1.0.0', supported_pids: [], state: 'deployed' },
      ...{ created_at: new Date().toISOString(), entry_point: 'a:B', generation: 'phased' },
    };
    await registry.register(entry);
    const held = openSync(registry.layout.registry, 'r');
    let isClosed = false;
    const closing = sleep(1_500).then(() => {
      closeSync(held);
      isClosed = true;
    });
    await registry.register({ ...entry, version: '2.0.0' });
    assert.ok(isClosed);
    await closing;
    await registry.close();
  },
);

await check('changes of two registries side by side are all there in the end', async () => {
  for (let round = 0; round < 12; round++) {
    const root = path.join(base, `side by side ${round}`);
    const registries = [await Registry.open(root), await Registry.open(root)];
    const versions = Array.from({ length: 10 }, (_, index) => ({
      ...{ name: 'sample', version: `${index}.0.0`, supported_pids: [], state: 'deployed' },
      ...{ created_at: new Date().toISOString(), entry_point: 'a:B', generation: 'phased' },
    }));
    await Promise.all(versions.map((entry, index) => registries[index % 2].register(entry)));
    const names = (await registries[0].list()).map(({ version }) => version).sort();
    assert.deepEqual(
      names,
      versions.map(({ version }) => version),
      `round ${round}`,
    );
    for (const registry of registries) await registry.close();
  }
});

const sample = path.join(base, 'paths-v1.0.0-offline.zip');
writeFileSync(sample, await kit.buildPackage({ name: 'paths', version: '1.0.0' }));
const drives = ['D:\\', 'E:\\'].filter((drive) => existsSync(drive));
const shared = `\\\\localhost\\${base[0]}$${base.slice(2)}`;
/** From the zip to the verdict and back, in a store at this path. */
async function throughStore(root) {
  const registry = await Registry.open(root);
  const deployer = new Deployer({ registry });
  const supervisor = new AlgorithmSupervisor({ registry });
  try {
    await deployer.install(sample);
    assert.equal((await deployer.verify('paths', '1.0.0')).intact, true);
    const target = { name: 'paths', version: '1.0.0' };
    assert.equal((await supervisor.execute({ target, stepIndex: 1, image })).status, 'OK');
  } finally {
    await supervisor.close();
  }
  await deployer.uninstall('paths', '1.0.0', { force: true });
  assert.deepEqual(await registry.list(), []);
  await deployer.close();
  await registry.close();
}
for (const [title, root, isPossible] of [
  ['in the current folder of its drive (C:name)', `${base[0]}:pv relative ${process.pid}`],
  ['by a path of the system, in another case', `\\\\?\\${path.join(base, 'Case').toUpperCase()}`],
  [
    'on another drive than the temp folder',
    path.join(drives[0] ?? '', `pv ${process.pid}`),
    drives.length > 0,
  ],
  ['on a share', path.join(shared, 'share'), existsSync(shared)],
])
  await check(
    `a package goes through a store ${title}`,
    async () => {
      await throughStore(root);
      rmSync(root, { recursive: true, force: true });
    },
    isPossible,
  );

await check(
  'names that Windows keeps for itself, or cuts, are refused before anything is written',
  async () => {
    const deployer = new Deployer({ registry: store.registry });
    for (const name of ['con', 'NUL', 'com1', 'aux.txt', 'lpt9', 'name.', 'name ', 'a:b', 'a?b']) {
      const zip = path.join(base, 'named-v1.0.0-offline.zip');
      writeFileSync(zip, await kit.buildPackage({ files: { [`algorithm/${name}`]: 'x' } }));
      const error = await failure(deployer.install(zip));
      assert.equal(RunnerError.is(error), true, name);
      assert.equal(error.code, 'invalid_zip', `${name}: ${error.message}`);
    }
    for (const name of ['con', 'nul.txt', 'a.', 'a ', 'a:b', '..'])
      assert.throws(() => store.registry.layout.deployed(name, '1.0.0'), `${name} is taken`);
    await deployer.close();
  },
);

await check(
  'an outbox keeps records and pictures, has one host, and is intact after it was opened again',
  async () => {
    const { Outbox, verifyReceipts } = await import(`${dist}outbox/index.js`);
    const folder = path.join(base, 'outbox');
    const picture = { encoded: Buffer.from('a picture'), contentType: 'image/jpeg', width: 4, height: 3 };
    const error = new RunnerError('timeout', 'too slow', { details: { timeoutMs: 1, stage: 'call' } });
    const options = { station: 'line-3', pictures: { keep: 'none' } }; // there is no sharp
    const outbox = await Outbox.open(folder, options);
    await Promise.all(
      Array.from({ length: 64 }, () =>
        outbox.record(error, { productId: 'A01', stepIndex: 1, pictures: [picture] }),
      ),
    );
    assert.equal((await failure(Outbox.open(folder, options))).code, 'lock_timeout');
    await outbox.close();
    const again = await Outbox.open(folder, options);
    const { due } = await again.status();
    assert.deepEqual([due.business.records, due.ngPictures.records], [64, 64]);
    for (const lane of ['records', 'pictures']) {
      const { items } = await again.queue.due(lane, { limit: 1_000 });
      assert.equal(items.length, 64);
      await again.queue.acknowledge(items);
    }
    await again.close();
    const { isIntact, logged } = await verifyReceipts(folder);
    assert.equal(isIntact, true);
    assert.ok(logged >= 128, `${logged} records`);
  },
  existsSync(path.join(process.argv[2], '../node_modules/classic-level')),
);

await store.close();
await check('nothing stays behind', () => {
  rmSync(base, { recursive: true, force: true });
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
