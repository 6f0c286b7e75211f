import { execFile } from 'node:child_process';
import { chmod, cp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { pythonsAtHand } from '../support/pythons.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { IS_WINDOWS } from '../support/platform.js';

const execute = promisify(execFile);
const isRoot = process.getuid?.() === 0;

/** The library's Python files, without what is compiled of them, and one stage that prints. */
async function library(): Promise<{ folder: string; stage: string; kept: () => Promise<string> }> {
  const folder = await temporaryFolder();
  const source = path.dirname(path.dirname(assetPath('worker/launch.py')));
  for (const part of ['worker', 'process']) {
    await cp(path.join(source, part), path.join(folder, part), {
      recursive: true,
      filter: (file) => !file.includes('__pycache__'),
    });
  }
  const stage = path.join(folder, 'process', 'own_stage.py');
  await writeFile(stage, 'SAID = "first"\n');
  const cache = path.join(folder, 'worker', '__pycache__');
  const kept = async () => {
    const names = await readdir(cache).catch(() => []);
    return path.join(cache, names.find((name) => name.endsWith('.bin')) ?? 'none');
  };
  return { folder, stage, kept };
}

/** As a start does it: what the stage says, and whether it came from the file of all stages. */
async function startWith(
  folder: string,
  stage: string,
  { python = 'python3', user }: { python?: string; user?: number } = {},
): Promise<{ said: string; fromFile: boolean }> {
  const script = `import json, sys
names = {"__name__": "stages"}
exec(open(sys.argv[1] + "/worker/stages.py").read(), names)
stages = names["Stages"](sys.argv[1])
loads = []
class Loader(names["SourceFileLoader"]):
    def get_code(self, name):
        loads.append(name)
        return super().get_code(name)
names["SourceFileLoader"] = Loader
found = {}
exec(stages.code_of(sys.argv[2]), found)
stages.make_ready()
print(json.dumps({"said": found["SAID"], "fromFile": not loads}))`;
  const { stdout } = await execute(python, ['-S', '-c', script, folder, stage], { uid: user, gid: user });
  return JSON.parse(stdout) as { said: string; fromFile: boolean };
}

test('the second start on every Python at hand takes all stages from one file, which only its owner can write to', async () => {
  const { folder, stage, kept } = await library();
  expect(await startWith(folder, stage)).toEqual({ said: 'first', fromFile: false });
  for (const python of await pythonsAtHand()) {
    await startWith(folder, stage, { python });
    expect(await startWith(folder, stage, { python }), python).toEqual({ said: 'first', fromFile: true });
  }
  if (!IS_WINDOWS) expect((await stat(await kept())).mode & 0o022).toBe(0);
  const left = await readdir(path.dirname(await kept()));
  expect(left.filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('a stage that has changed is compiled anew, and kept anew', async () => {
  const { folder, stage } = await library();
  await startWith(folder, stage);
  await writeFile(stage, 'SAID = "other"\n');
  const time = new Date(Date.now() + 10_000);
  await utimes(stage, time, time);
  expect(await startWith(folder, stage)).toEqual({ said: 'other', fromFile: false });
  expect(await startWith(folder, stage)).toEqual({ said: 'other', fromFile: true });
});

describe('the file of all stages', () => {
  test.each([
    ['is cut off', (data: Buffer) => data.subarray(0, data.length - 1_000)],
    ['is cut off in its index', (data: Buffer) => data.subarray(0, 100)],
    ['is empty', () => Buffer.alloc(0)],
    ['is full of zeros', (data: Buffer) => Buffer.alloc(data.length)],
    ['has other bytes', (data: Buffer) => data.map((byte, at) => (at % 700 === 699 ? byte ^ 255 : byte))],
  ])('that %s is not taken, and made anew', async (_, damage) => {
    const { folder, stage, kept } = await library();
    await startWith(folder, stage);
    const file = await kept();
    const whole = await readFile(file);
    await writeFile(file, damage(whole));
    // The last stages by name lie at the end: this one is among those that are lost.
    const last = path.join(folder, 'worker', 'bundled', 'procvision_bundled_worker', 'wire.py');
    await writeFile(last, 'SAID = "last"\n');
    expect(await startWith(folder, last)).toEqual({ said: 'last', fromFile: false });
    expect(await startWith(folder, last)).toEqual({ said: 'last', fromFile: true });
    expect(await startWith(folder, stage)).toEqual({ said: 'first', fromFile: true });
  });

  test.runIf(process.platform !== 'win32')('that others may write to is not taken', async () => {
    const { folder, stage, kept } = await library();
    await startWith(folder, stage);
    await chmod(await kept(), 0o666);
    expect(await startWith(folder, stage)).toEqual({ said: 'first', fromFile: false });
    expect((await stat(await kept())).mode & 0o022).toBe(0);
  });

  test.runIf(isRoot)(
    'of root is taken by another user, and that of another user by nobody else',
    async () => {
      const { folder, stage, kept } = await library();
      await chmod(folder, 0o755);
      await startWith(folder, stage);
      expect(await startWith(folder, stage, { user: 12_345 })).toEqual({ said: 'first', fromFile: true });
      const file = await kept();
      const content = await readFile(file);
      await rm(file);
      await chmod(path.dirname(file), 0o777);
      await startWith(folder, stage, { user: 12_345 });
      expect(await readFile(file)).toEqual(content);
      expect(await startWith(folder, stage)).toEqual({ said: 'first', fromFile: false });
    },
  );

  test.runIf(isRoot)('that cannot be written is done without', async () => {
    const { folder, stage, kept } = await library();
    await chmod(folder, 0o755);
    expect(await startWith(folder, stage, { user: 12_345 })).toEqual({ said: 'first', fromFile: false });
    expect(path.basename(await kept())).toBe('none');
  });
});
