/**
 * Figures of a Windows station, run by its Node: `node bench/windows.mjs DIST WHEELS [ROUNDS]` (0: the calls alone), with a Python on PATH that
 * NumPy's wheel in the folder WHEELS is for, and the wheel of the SDK beside it. Each figure is a ratio:
 *
 * - the installation of a package with NumPy, and of a further version, by links, beside the same by pip;
 * - a call with a frame of 6.9 MB that the host fills in place, beside a bare echo of the same frame between the same Node and
 *   Python: a file that Node writes and a script of Python reads, with a line each way.
 */
import { Buffer } from 'node:buffer';
import { spawn, spawnSync } from 'node:child_process';
import console from 'node:console';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const [, , distFolder, wheels, rounds = '2'] = process.argv;
const dist = pathToFileURL(path.resolve(distFolder) + path.sep).href;
const { AlgorithmSupervisor, Deployer, FramePool, Registry, VenvManager } = await import(`${dist}index.js`);
const kit = await import(`${dist}testing/index.js`);
const find = (start) => {
  const file = readdirSync(wheels).find((name) => name.startsWith(start));
  return { file, bytes: readFileSync(path.join(wheels, file)) };
};
const source = `from procvision_algorithm_sdk import BaseAlgorithm

class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return {"status": "OK", "message": str(int(cur_image[0, 0, 0])), "data": {"result_status": "OK", "defect_rects": []}}
`;
const ECHO = `import sys
for line in sys.stdin:
    with open(line.rstrip("\\n"), "rb", buffering=0) as file:
        content = file.read()
    print(content[0], flush=True)
`;
const SHAPE = { width: 2_048, height: 1_120, channels: 3 };
const BYTES = SHAPE.width * SHAPE.height * SHAPE.channels;
const CALLS = 60;
const WARM_UP = 10;

const base = mkdtempSync(path.join(os.tmpdir(), 'pv figures '));
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
async function zipOf(version) {
  const file = path.join(base, `means-v${version}-offline.zip`);
  const bytes = await kit.buildPackage({
    ...{ name: 'means', version, generation: 'execute-only', stored: true },
    files: { 'algorithm/__init__.py': '', 'algorithm/main.py': source },
    requirements: 'procvision_algorithm_sdk\nnumpy\n',
    ...{ wheels: [find('numpy-')], sdk: [find('procvision_algorithm_sdk-')] },
  });
  writeFileSync(file, bytes);
  return file;
}

const zips = [await zipOf('1.0.0'), await zipOf('2.0.0')];
const seconds = { pip: [[], []], link: [[], []] };
let registry;
const installers = rounds === '0' ? ['link'] : ['pip', 'link'];
for (let round = 0; round < Math.max(1, Number(rounds)); round++) {
  for (const installer of installers) {
    await registry?.close();
    registry = await Registry.open(path.join(base, `${installer} ${round}`));
    const deployer = new Deployer({ registry, venvs: new VenvManager({ installer }) });
    for (const [index, zip] of zips.entries())
      seconds[installer][index].push(await timed(() => deployer.install(zip)));
    await deployer.close();
  }
}
for (const [index, title] of ['installation of the package with NumPy', 'further version'].entries()) {
  if (installers.length === 1) continue;
  const [link, pip] = [median(seconds.link[index]), median(seconds.pip[index])];
  console.log(`${title}: ${(link / pip).toFixed(2)} x of pip (${Math.round(link)} of ${Math.round(pip)} ms)`);
}

/** A frame through a file and a line each way: what a host without this library would do at least. */
async function echo(python) {
  const child = spawn(python, ['-c', ECHO], { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const file = path.join(base, 'echo.bin');
  const pixels = Buffer.alloc(BYTES);
  const times = [];
  for (let n = 0; n < CALLS + WARM_UP; n++) {
    pixels.fill(n % 250);
    const took = await timed(async () => {
      const handle = await open(file, 'w');
      await handle.write(pixels, 0, BYTES, 0);
      await handle.close();
      child.stdin.write(`${file}\n`);
      await lines.next();
    });
    if (n >= WARM_UP) times.push(took);
  }
  child.stdin.end();
  return median(times);
}
async function calls(worker) {
  const frames = new FramePool({ maxBytes: 64e6 });
  // A busy machine takes its time for a start, which is not what is measured.
  const policy = { limits: { helloMs: 60_000, loadMs: 120_000 } };
  const supervisor = new AlgorithmSupervisor({ registry, worker, frames, policy });
  const target = { name: 'means', version: '2.0.0' };
  const times = [];
  for (let n = 0; n < CALLS + WARM_UP; n++) {
    const frame = await frames.lease(SHAPE);
    frame.pixels.fill(n % 250);
    const took = await timed(async () => {
      const { message } = await supervisor.execute({
        target,
        stepIndex: 1,
        image: frame,
        guideImage: 'same',
      });
      if (Number(message) !== n % 250) throw new Error(`${message} instead of ${n % 250}`);
    });
    frame.release();
    if (n >= WARM_UP) times.push(took);
  }
  const { mapped } = await frames.usage();
  await supervisor.close();
  await frames.close();
  return { time: median(times), mapped };
}
const python = path.join(registry.layout.venv('means', '2.0.0'), 'Scripts', 'python.exe');
spawnSync(python, ['-c', '']);
const bare = await echo(python);
for (const worker of ['sdk', 'bundled']) {
  const { time, mapped } = await calls(worker);
  const how = mapped ? 'mapped' : 'files';
  console.log(
    `call at the ${worker} worker (${how}): ${(time / bare).toFixed(2)} x of the echo (${time.toFixed(1)} of ${bare.toFixed(1)} ms)`,
  );
}
await registry.close();
rmSync(base, { recursive: true, force: true });
process.exit(0);
