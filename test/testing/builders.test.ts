import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { buildPackage, buildStandInSdk, buildWheel, wheelFileName } from '../../src/testing/index.js';
import { HAS_PIP } from '../support/pip-of-python.js';
import { temporaryFolder } from '../support/temp-folder.js';

const run = promisify(execFile);

async function entryNames(bytes: Uint8Array): Promise<string[]> {
  const file = path.join(await temporaryFolder(), 'archive.zip');
  await writeFile(file, bytes);
  const script =
    'import json,sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(json.dumps(z.namelist()))';
  const { stdout } = await run('python3', ['-c', script, file]);
  return JSON.parse(stdout) as string[];
}

test.runIf(HAS_PIP)('a wheel with scripts and data is installed by pip and its command runs', async () => {
  const folder = await temporaryFolder();
  const source = {
    name: 'tool.kit',
    version: '1.2',
    files: { 'toolkit/__init__.py': 'def main():\n    print("hello from the tool")\n' },
    scripts: { 'tool-kit': 'toolkit:main' },
    data: { 'data/etc/tool.conf': 'x=1' },
  };
  const wheel = path.join(folder, wheelFileName(source));
  await writeFile(wheel, await buildWheel(source));
  const target = path.join(folder, 'installed');
  await run('python3', ['-m', 'pip', 'install', '--no-index', '--prefix', target, wheel]);
  const { stdout } = await run('python3', [
    '-c',
    'import glob,sys;print(glob.glob(sys.argv[1]+"/etc/tool.conf"))',
    target,
  ]);
  expect(path.basename(wheel)).toBe('tool.kit-1.2-py3-none-any.whl');
  expect(stdout).toContain('tool.conf');
});

test('equal sources give equal bytes', async () => {
  const [first, second] = await Promise.all([buildPackage(), buildPackage()]);
  expect(Buffer.compare(first, second)).toBe(0);
});

test.each([
  ['beside', 'sample/manifest.json', 'wheels/'],
  ['flat', 'manifest.json', 'wheels/'],
  ['inside', 'sample/manifest.json', 'sample/wheels/'],
] as const)('layout %s puts the manifest at %s and wheels at %s', async (layout, manifest, wheels) => {
  const names = await entryNames(await buildPackage({ layout }));
  expect(names).toContain(manifest);
  expect(names).toContain(wheels);
});

test.each(['phased', 'execute-only'] as const)(
  'the stand-in SDK of the %s generation says hello, answers a ping and an algorithm error, and leaves on shutdown',
  async (generation) => {
    const folder = await temporaryFolder();
    const { file, bytes } = await buildStandInSdk({ generation });
    await mkdir(path.join(folder, 'algorithm'));
    await writeFile(path.join(folder, file), bytes);
    const method =
      generation === 'phased' ? 'get_info(self): pass\n    def pre_execute(self, *a): pass\n    def ' : '';
    await writeFile(
      path.join(folder, 'algorithm', 'main.py'),
      `from procvision_algorithm_sdk import BaseAlgorithm\nclass Algorithm(BaseAlgorithm):\n    def ${method}execute(self, *a): raise ValueError("no")\n`,
    );
    // The wheel is a zip, and Python imports from it as it is.
    const script = `
import json, subprocess, sys
def frame(m):
    b = json.dumps(m).encode(); return len(b).to_bytes(4, "big") + b
call = {"type": "call", "request_id": "c", "data": {"phase": "execute", "cur_image_shm_id": "x", "guide_image_shm_id": "x"}}
sent = b"".join(map(frame, [{"type": "ping", "request_id": "p"}, call, {"type": "shutdown"}]))
done = subprocess.run([sys.executable, "-m", "procvision_algorithm_sdk.adapter", "--entry", "algorithm.main:Algorithm"],
    input=sent, stdout=subprocess.PIPE, cwd=sys.argv[2], env={"PYTHONPATH": sys.argv[1]})
out, seen = done.stdout, []
while out:
    n = int.from_bytes(out[:4], "big"); seen.append(json.loads(out[4:4 + n])); out = out[4 + n:]
print(json.dumps([done.returncode, [[m["type"], m.get("request_id"), m.get("error_code")] for m in seen], seen[0]["capabilities"]]))`;
    const { stdout } = await run('python3', ['-c', script, path.join(folder, file), folder]);
    const [code, seen, capabilities] = JSON.parse(stdout) as [number, unknown[], string[]];
    expect(code).toBe(0);
    expect(seen).toEqual([
      ['hello', null, null],
      ['pong', 'p', null],
      ['error', 'c', '1009'],
      ['shutdown', null, null],
    ]);
    expect(capabilities.includes('execute')).toBe(generation === 'execute-only');
  },
);
