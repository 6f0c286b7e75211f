import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openArchive } from '../../src/package/archive.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { buildPackage } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { formatReport } from '../../src/validation/report.js';
import { ownTempDir } from '../support/own-temp-dir.js';
import { holdings } from '../support/leaks.js';
import { packageFile, phasedAlgorithm } from '../support/package-file.js';
import { IS_WINDOWS, IS_WINE } from '../support/platform.js';

const validator = new PackageValidator({ timeoutMs: 5_000, loadTimeoutMs: IS_WINE ? 60_000 : 5_000 });
const INFO = '"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []';

/** A package that is unpacked and has its environment, so that each case costs a trial run alone. */
let root = '';
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'pv hostile '));
  const zip = path.join(root, 'package.zip');
  await writeFile(zip, await buildPackage({ layout: 'flat' }));
  await using archive = await openArchive(zip);
  await archive.extract(path.join(root, 'project'));
  root = path.join(root, 'project');
  const venvs = new VenvManager();
  const interpreter = await venvs.select({});
  const venv = await venvs.create(path.join(root, 'venv'), { interpreter });
  const requirements = path.join(root, 'requirements.txt');
  await venvs.install(venv, { wheels: path.join(root, 'wheels'), requirements });
});
afterAll(() => rm(path.dirname(root), { recursive: true, force: true, maxRetries: 3 }));

async function validate(body: Parameters<typeof phasedAlgorithm>[0], by = validator) {
  for (const [name, text] of Object.entries(phasedAlgorithm(body).files))
    await writeFile(path.join(root, name), text);
  return by.validate(root);
}

const linux = process.platform === 'linux';

test.runIf(process.platform !== 'win32')(
  'stdin at its end, stdout and stderr as files are there in the trial',
  async () => {
    const head = `import os, subprocess, sys
assert sys.stdin.read() == "" and subprocess.run(["cat"], stdout=subprocess.PIPE).stdout == b""
for name in ("/dev/stderr", "/dev/stdout", "/proc/self/fd/1", "/proc/self/fd/2"):
    if os.path.exists(name):
        with open(name, "w") as log: log.write(name + " was opened\\n")
raise ValueError("and now the end")`;
    const { summary, error } = await validate({ head });
    expect(summary.status).toBe('FAIL');
    expect(error?.message).toContain('ValueError: and now the end');
    const opened = ['/dev/stderr was opened', '/dev/stdout was opened'];
    expect((error?.details as { output?: string[] }).output).toEqual(expect.arrayContaining(opened));
  },
);

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}

async function ourTemporaryFolders(): Promise<string[]> {
  return (await readdir(os.tmpdir())).filter((name) => /^procvision-(?:validate|probe)-/.test(name));
}

describe.skipIf(!linux)('what an algorithm started is gone with it', () => {
  const daemon = (mark: string) => `
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "${mark}"])
    os._exit(0)
`;
  test.each([
    ['a daemon that left the process group, when the trial passes', ''],
    ['the same, when the trial is killed for its time', 'import time; time.sleep(600)'],
    ['the same, when the process kills itself', 'import os; os.kill(os.getpid(), 9)'],
  ])('%s', async (_, end) => {
    const mark = randomUUID();
    const report = await validate({ head: daemon(mark) + end });
    expect(report.summary.status).toBe(end === '' ? 'PASS' : 'FAIL');
    await vi.waitFor(async () => {
      expect((await commandLines()).filter((line) => line.includes(mark))).toEqual([]);
    }, 10_000);
  });
});

describe('answers that are no answers are reported, and the validation ends with a report', () => {
  test.each([
    ['NaN in get_info', { info: `{${INFO}, "x": float("nan")}` }, 'get_info', /no JSON/],
    [
      'a get_info that contains itself',
      { head: 'own = {}\nown["own"] = own', info: `{${INFO}, **own}` },
      'get_info',
      /no JSON/,
    ],
    ['keys that are no text', { info: `{${INFO}, ("a", 1): 2}` }, 'get_info', /no JSON/],
    [
      'ten megabytes of get_info',
      { info: `{${INFO}, "x": "x" * 10_000_000}` },
      'get_info',
      /characters of JSON/,
    ],
    [
      'an exception that cannot be told',
      {
        head: 'class Odd(Exception):\n    def __str__(self): raise ValueError("no")',
        execute: '(_ for _ in ()).throw(Odd())',
      },
      'execute_return_dict',
      /Odd/,
    ],
    [
      'an exception with ten megabytes of text',
      { execute: 'int("x" * 10_000_000, 36.5)' },
      'execute_return_dict',
      /TypeError/,
    ],
    [
      'a process that leaves with a code above 128',
      { execute: '__import__("os")._exit(200)' },
      'smoke_execute',
      /exit code 200/,
    ],
    [
      'a process that ends by a fault of memory',
      { execute: `__import__("os").kill(__import__("os").getpid(), ${IS_WINDOWS ? '-0x3FFFFFFB' : 11})` },
      'smoke_execute',
      IS_WINDOWS ? /0xC0000005/ : /SIGSEGV/,
    ],
    ['an exit in the import', { head: 'raise SystemExit(0)' }, 'entry_import', /SystemExit/],
    ['a clean exit in the import', { head: '__import__("os")._exit(0)' }, 'entry_import', /exit code 0/],
  ])('%s', async (_, body, check, message) => {
    const report = await validate(body);
    const failed = report.checks.filter(({ result }) => result === 'FAIL');
    expect(failed.map(({ name }) => name)).toContain(check);
    expect(report.error).toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(message) as string,
    });
    expect(JSON.stringify(report).length).toBeLessThan(200_000);
  });

  test('halves of characters in get_info are kept as they are', async () => {
    const report = await validate({ info: `{${INFO}, "x": "\\ud800"}` });
    expect(report.summary.status).toBe('PASS');
    expect(report.info).toMatchObject({ x: '\ud800' });
  });

  const ofPosix: [string, string][] = [
    ['a pipe in place of the findings', `os.remove(out); os.mkfifo(out)`],
    ['a link to a device in place of the findings', `os.remove(out); os.symlink("/dev/zero", out)`],
  ];
  test.each<[string, string]>([
    [
      'garbage in the findings',
      `open(out, "a").write('{"check": 7}\\n[1]\\nnull\\n{"check": "nope", "result": "PASS"}\\n{{{\\n')`,
    ],
    ['a gigabyte of findings', `open(out, "a").truncate(1 << 30)`],
    ...(IS_WINDOWS ? [] : ofPosix),
    ['a folder in place of the findings', `os.remove(out); os.mkdir(out)`],
  ])('%s', async (_, attack) => {
    const head = `import json, os, sys\nout = json.load(open(sys.argv[1]))["out"]\n${attack}`;
    const report = await validate({ head });
    expect(['PASS', 'FAIL']).toContain(report.summary.status);
    expect(report.checks.every(({ message }) => typeof message === 'string')).toBe(true);
  });

  test('control characters of an exception do not reach the terminal of who reads the report', async () => {
    const report = await validate({ head: 'raise ValueError("\\x1b[2Jgone\\rPASS\\u202e")' });
    const text = formatReport(report);
    expect(text).toContain('\\u001b[2Jgone');
    // eslint-disable-next-line no-control-regex -- they must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e]/);
  });
});

test.skipIf(!linux)('twenty megabytes of output cost the host nothing and end', async () => {
  const before = process.memoryUsage.rss();
  const report = await validate(
    { execute: '[print("x" * 1000) for _ in range(20_000)] and {"status": "ERROR"}' },
    new PackageValidator(),
  );
  expect(report.summary.status).toBe('PASS');
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});

describe.skipIf(!linux)('an abort leaves nothing behind', () => {
  test.each(['zip_open', 'requirements_met', 'environment', 'entry_import'])(
    'at the check %s',
    async (at) => {
      const file = await packageFile(phasedAlgorithm({ execute: '__import__("time").sleep(600)' }));
      const own = new PackageValidator();
      await own.inspect(file); // what is loaded once and kept is no leak
      const before = holdings();
      await ownTempDir();
      const controller = new AbortController();
      own.on('check', ({ name }) => {
        if (name === at) controller.abort();
      });
      if (at === 'entry_import') {
        // The checks of the trial run come when it is through, so the trial itself is what is waited for.
        void vi.waitFor(
          async () => {
            expect((await ourTemporaryFolders()).some((name) => name.startsWith('procvision-probe-'))).toBe(
              true,
            );
            controller.abort();
          },
          { timeout: 60_000 },
        );
      }
      await expect(own.validate(file, { signal: controller.signal })).rejects.toMatchObject({
        name: 'AbortError',
      });
      // Timers of the test's runner come and go. A wait with a timer of its own would be counted.
      const left = () => {
        const now = holdings();
        return { ...now, timers: Math.max(0, now.timers - before.timers) };
      };
      const none = { ...before, timers: 0 };
      const until = performance.now() + 10_000;
      while (!isDeepStrictEqual(left(), none) && performance.now() < until) await setImmediate();
      expect(left()).toEqual(none);
      expect(await ourTemporaryFolders()).toEqual([]);
    },
  );
});
