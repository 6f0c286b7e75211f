import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { openArchive } from '../../src/package/archive.js';
import { buildWheel, wheelFileName, type WheelSource } from '../../src/testing/index.js';
import { HAS_PIP } from '../support/pip-of-python.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** What goes through the files of wheels, in a Python that has no more of POSIX than that of Windows. */
const AS_ON_WINDOWS = `
import json, os, sys, sysconfig
for name in ("fork", "pread"):
    if hasattr(os, name):
        delattr(os, name)
sys.path.insert(0, ${JSON.stringify(path.dirname(assetPath('python/wheels/store_helper.py')))})
import launchers, place_files, wheel_unpack
from wheel_files import Fault
wheel_unpack.CAN_SYNC_LATER = False
wheel_unpack.cores = lambda: 3
sysconfig.get_platform = lambda: "win-amd64"
`;
const files: Record<string, string | Uint8Array> = { 'tool.py': 'def main(): print("hello")\n' };
for (let number = 0; number < 400; number++) files[`pkg/m${number}.py`] = `x = ${number}\r\n`.repeat(100);
files['pkg/data.bin'] = new Uint8Array(300_000).map((_, index) => index % 251);
const tool: WheelSource = { name: 'tool', version: '1.0', files };

async function unpackAsOnWindows(bend: (bytes: Buffer) => Buffer = (bytes) => bytes) {
  const folder = await temporaryFolder();
  const wheel = path.join(folder, wheelFileName(tool));
  const whole = Buffer.from(await buildWheel(tool));
  await writeFile(wheel, whole);
  const archive = await openArchive(wheel);
  const unpacked = path.join(folder, 'unpacked');
  await mkdir(unpacked);
  let told = '';
  await archive.extract(path.join(unpacked, 'tree'), {
    unpackFiles: async (placed) => {
      await writeFile(wheel, bend(whole));
      const entries = placed.map(({ to, entry, offset, length }) => [
        ...[to, offset, length, entry.method, entry.sizeBytes, entry.crc32, false],
      ]);
      const request = {
        archive: wheel,
        folder: unpacked,
        info: 'tool-1.0.dist-info',
        marks: ['WHEEL'],
        sync: true,
      };
      const program = `${AS_ON_WINDOWS}
request, entries = json.load(open(sys.argv[1], encoding="utf-8"))
progress = []
try:
    ok = wheel_unpack.unpack(request, [entries], progress.append)
    print(json.dumps({"ok": ok, "progress": progress}))
except Fault as fault:
    print(json.dumps({"fault": fault.text, "entry": fault.entry}))`;
      const order = path.join(folder, 'order.json');
      await writeFile(order, JSON.stringify([request, entries]));
      ({ stdout: told } = await promisify(execFile)('python3', ['-I', '-c', program, order]));
    },
  });
  await archive.close();
  return { tree: path.join(unpacked, 'tree'), told: JSON.parse(told) as Record<string, unknown> };
}

describe('a wheel is unpacked without fork and pread', () => {
  test('byte for byte, read-only, with its progress and its marks', async () => {
    const { tree, told } = await unpackAsOnWindows();
    expect(told).toMatchObject({
      ok: { oddities: [], marks: { 'tool-1.0.dist-info/WHEEL': expect.any(String) as string } },
    });
    expect((told.progress as number[]).length).toBeGreaterThan(50);
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(tree, name);
      const [found, wanted] = [await readFile(file), Buffer.from(content as string)];
      if (!found.equals(wanted)) expect(`${name} ${sha256(found)}`).toBe(`${name} ${sha256(wanted)}`);
      expect((await stat(file)).mode & 0o222).toBe(0);
    }
  });

  test('and one whose bytes are not what its CRC-32 says is refused by the name of the file', async () => {
    const marker = Buffer.from([...Array(250).keys()]);
    const { told } = await unpackAsOnWindows((bytes) => {
      const bent = Buffer.from(bytes);
      const at = bent.indexOf(marker);
      // The bytes are stored as they are, or packed: then one in the middle of the file's data is another.
      const bentAt = at >= 0 ? at : bent.indexOf('pkg/data.bin') + 200;
      bent.writeUInt8(bent.readUInt8(bentAt) ^ 0xff, bentAt);
      return bent;
    });
    expect(told).toMatchObject({
      entry: 'pkg/data.bin',
      fault: expect.stringMatching(/damaged|bytes/) as string,
    });
  });
});

test.runIf(HAS_PIP)(
  'a script of Windows is a program of pip, the line of the interpreter beside it, and a zip that Python runs',
  async () => {
    const folder = await temporaryFolder();
    const pip = execFileSync(
      'python3',
      ['-c', 'import os, pip; print(os.path.dirname(os.path.dirname(pip.__file__)))'],
      {
        encoding: 'utf8',
      },
    ).trim();
    const program = `${AS_ON_WINDOWS}
made = launchers.Launchers(sys.argv[1])
for name, is_window in (("tool", False), ("window", True)):
    with open(os.path.join(sys.argv[2], name), "wb") as file:
        file.write(made.program("print('hello')\\n", is_window))`;
    execFileSync('python3', ['-I', '-c', program, pip, folder]);
    const line = (file: Buffer) => /#!<launcher_dir>\\\w+\.exe\r\n(?=PK)/.exec(file.toString('latin1'))?.[0];
    expect(line(await readFile(path.join(folder, 'tool')))).toBe('#!<launcher_dir>\\python.exe\r\n');
    expect(line(await readFile(path.join(folder, 'window')))).toBe('#!<launcher_dir>\\pythonw.exe\r\n');
    const said = execFileSync('python3', [path.join(folder, 'tool')], { encoding: 'utf8' });
    expect(said.trim()).toBe('hello');
  },
);

test('a file that has all the names that NTFS gives is copied, and the next one linked again', async () => {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, 'source'), 'text');
  const program = `${AS_ON_WINDOWS}
os.name = "nt"
os.chdir(sys.argv[1])
class Full(OSError):
    winerror = 1142
refusals = [Full(22, "Too many links")]
def link(source, target):
    if refusals:
        raise refusals.pop()
    real(source, target)
real, os.link = os.link, link
placer = place_files.Placer(["reflink", "hardlink", "copy"])
for name in ("first", "second"):
    placer.place("source", name, False)
print([os.stat(name).st_nlink for name in ("first", "second")])`;
  const told = execFileSync('python3', ['-I', '-c', program, folder], { encoding: 'utf8' });
  expect(told.trim()).toBe('[1, 2]');
});

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

test('files that cannot be linked are copied by all threads, and a file that was written to is found', async () => {
  const folder = await temporaryFolder();
  const program = `${AS_ON_WINDOWS}
import errno, wheel_link
folder = sys.argv[1]
tree, library = os.path.join(folder, "wheel", "tree"), os.path.join(folder, "site-packages")
names = ["m%d.py" % number for number in range(300)] + ["a-1.dist-info/RECORD"]
os.makedirs(os.path.join(tree, "a-1.dist-info"))
rows = []
for name in names:
    path = os.path.join(tree, name)
    with open(path, "w") as file:
        file.write("" if name.endswith("RECORD") else name)
    rows.append([name, os.path.getsize(path), os.stat(path).st_mtime_ns, False])
wheel_link.read_list = lambda folder: rows
def refuse(source, target):
    raise OSError(errno.EXDEV, "another drive")
os.link = refuse
wheel = {"folder": os.path.join(folder, "wheel"), "file": "a.whl", "info": "a-1.dist-info", "purelib": True, "requested": True,
         "schemes": {"purelib": library, "scripts": folder}, "commands": [], "wrappers": [], "windows": []}
request = {"wheels": [wheel], "ways": ["hardlink", "copy"], "pythonLine": "", "ownFiles": [], "synced": False}
linked = wheel_link.link(request, [], lambda done: None)
content = [open(os.path.join(library, name)).read() == name for name in names[:-1]]
rows[200][2] += 1
print(json.dumps([linked["touched"], all(content), len(content), wheel_link.link(request, [], lambda done: None)["touched"]]))`;
  const { stdout } = await promisify(execFile)('python3', ['-I', '-S', '-c', program, folder]);
  expect(JSON.parse(stdout)).toEqual([[], true, 300, [path.join(folder, 'wheel')]]);
});

test('a file that a later wheel replaces keeps its read-only mark in the store, where other versions share it', async () => {
  const folder = await temporaryFolder();
  const program = `${AS_ON_WINDOWS}
os.name = "nt"
placer = place_files.Placer(["hardlink", "copy"])
os.chdir(sys.argv[1])
for name in ("first", "second"):
    with open(name, "w") as file:
        file.write(name)
    os.chmod(name, 0o444)
    placer.place(name, "place", False)
print(json.dumps([open("place").read(), *(bool(os.stat(name).st_mode & 0o222) for name in ("first", "second"))]))`;
  const { stdout } = await promisify(execFile)('python3', ['-I', '-c', program, folder]);
  expect(JSON.parse(stdout)).toEqual(['second', false, false]);
});
