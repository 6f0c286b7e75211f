import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { IS_WINDOWS } from '../support/platform.js';

/** The calls of Windows that make a job, of which `argv[3]` are refused; the class that is asked for comes back. */
const STAND_IN = `
import ctypes, json, os, sys
names = {}
exec(open(sys.argv[1], encoding="utf-8").read(), names)
refused, asked = json.loads(sys.argv[3]), []

class System:
    def __getattr__(self, name):
        return getattr(ctypes, name)
    def get_last_error(self):
        return 1314
    def set_last_error(self, number):
        pass
    def WinError(self, number):
        return OSError(number, "A required privilege is not held by the client")

class Kernel(names["Kernel"]):
    def __init__(self):
        self.c, self.handle, self.size = System(), ctypes.c_void_p, ctypes.c_size_t
        self.flags = []
    def call(self, name, result, *arguments):
        if name == "SetInformationJobObject":
            flags = ctypes.c_uint32.from_address(arguments[2][1] + 16).value
            asked.append(["job", flags])
            return 0 if flags & 0x20 and "job" in refused else 1
        if name == "SetPriorityClass":
            asked.append(["process", arguments[1][1]])
            return 0 if "process" in refused else 1
        return 1
    def end_with(self, host, job):
        return True

names["Kernel"] = Kernel
report = names["enter_job"]({"host": 1, "limits": {"nice": int(sys.argv[2]), "processes": 4}})
print(json.dumps([report["bounds"], asked]))
`;
const [BELOW_NORMAL, ABOVE_NORMAL] = [0x4000, 0x8000];
const [WITH_CLASS, WITHOUT] = [0x2428, 0x2408];

test.skipIf(IS_WINDOWS).each([
  ['a right that it has', 5, [], [], [['job', WITH_CLASS]]],
  [
    'no right to set the class of a job',
    5,
    ['job'],
    [],
    [
      ['job', WITH_CLASS],
      ['process', BELOW_NORMAL],
      ['job', WITHOUT],
    ],
  ],
  [
    'no right to set the class of a job, and one above normal',
    -5,
    ['job'],
    [/nice is for the worker alone, not for what it starts: .*privilege/],
    [
      ['job', WITH_CLASS],
      ['process', ABOVE_NORMAL],
      ['job', WITHOUT],
    ],
  ],
  [
    'no right at all',
    5,
    ['job', 'process'],
    [/nice is without effect: .*privilege/],
    [
      ['job', WITH_CLASS],
      ['process', BELOW_NORMAL],
      ['job', WITHOUT],
    ],
  ],
])('a worker on Windows with %s has its job and all its other bounds', (_, nice, refused, missing, asked) => {
  const args = [
    '-I',
    '-c',
    STAND_IN,
    assetPath('process/job_object.py'),
    String(nice),
    JSON.stringify(refused),
  ];
  const [bounds, calls] = JSON.parse(execFileSync('python3', args, { encoding: 'utf8' })) as unknown[];
  expect(bounds).toEqual({
    processes: true,
    missing: missing.map((text) => expect.stringMatching(text) as string),
  });
  expect(calls).toEqual(asked);
});
