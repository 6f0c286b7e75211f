import { execFile, execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { NO_MOUNTS } from '../support/mounts.js';
import { temporaryFolder } from '../support/temp-folder.js';

const stages = fileURLToPath(new URL('../../src/process/', import.meta.url));

/** Executes a stage of a worker's start, and then `lines` with what it defines. */
function program(stage: string, lines: string): string {
  return `import os, sys\nstage = {"__name__": "stage"}\nexec(open(${JSON.stringify(stages + stage)}).read(), stage)\n${lines}`;
}

/** Exit code and stderr of a Python program. */
async function run(text: string): Promise<{ code: number; stderr: string }> {
  return promisify(execFile)('python3', ['-S', '-c', text]).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: unknown) => error as { code: number; stderr: string },
  );
}

describe.skipIf(process.platform !== 'linux')('a stage of the start of a worker', () => {
  test('that refuses before the host has opened the pipe of the log says why on its own stderr', async () => {
    const refuse = 'pipe = stage["LogPipe"]()\nos.write(2, b"why ")\nBACK\nos.write(2, b"not")\nos._exit(78)';
    const text = program('log_pipe.py', refuse);
    expect(await run(text.replace('BACK', 'pipe.give_back()'))).toMatchObject({
      code: 78,
      stderr: 'why not',
    });
    expect(await run(text.replace('BACK', ''))).toMatchObject({ code: 78, stderr: '' }); // the pipe is gone with the process
  });

  test('refuses to enter an environment of another minor version, and names both', async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'lib/python3.2/site-packages'), { recursive: true });
    await writeFile(path.join(folder, 'pyvenv.cfg'), 'version = 3.2.1\n');
    const enter = `stage["enter"](${JSON.stringify(path.join(folder, 'bin/python'))})`;
    const { code, stderr } = await run(program('enter_environment.py', enter));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        /was made with python3\.2, but its interpreter .* is python3\.\d+ now/,
      ) as string,
    });
  });

  test('makes the folder for the files of a worker in the first place that lets it, and goes without where none does', async () => {
    const folder = await temporaryFolder();
    const make = (...parents: string[]) => `
in_force = {"missing": []}
folders = [parent + "/procvision-scratch-x" for parent in ${JSON.stringify(parents)}]
lock = stage["make_scratch"]({"scratch": {"folders": folders}}, in_force)
sys.stderr.write(repr((lock is not None, in_force.get("scratch", {}).get("folder"), len(in_force["missing"]))))`;
    const absent = path.join(folder, 'absent');
    const first = await run(program('scratch.py', make(absent, folder)));
    expect(first.stderr).toBe(`(True, '${folder}/procvision-scratch-x', 1)`);
    expect((await run(program('scratch.py', make(absent)))).stderr).toBe('(False, None, 1)');
  });

  test.skipIf(NO_MOUNTS)('knows nothing of mounts without /proc, and does not take one for read-only', () => {
    const lines = `
class System:
    make_read_only = lambda self, top: False
assert stage["mount_points"]() is None
assert stage["is_proc_covered"]() is True
assert stage["protect"](System(), "/") is False
print("done")`;
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).trim();
    const script = 'umount -l /proc && exec "$0" -S -c "$1"';
    const args = ['-m', 'sh', '-c', script, python, program('namespaces.py', lines)];
    expect(execFileSync('unshare', args, { encoding: 'utf8' })).toBe('done\n');
  });
});
