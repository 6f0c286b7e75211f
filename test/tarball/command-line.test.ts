import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

const installed = path.join(inject('project'), 'node_modules/procvision-runner');
const { bin } = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as {
  bin: Record<string, string>;
};
const program = path.join(installed, bin['procvision-runner'] ?? '');
const folder = mkdtempSync(path.join(os.tmpdir(), 'pv hour é '));

afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

function run(line: string): { code: number | null; stdout: string; stderr: string } {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(process.execPath, [program, ...words], { cwd: folder, encoding: 'utf8' });
  return { code, stdout, stderr };
}

/** Where there is an index, the package of the first hour is packed with the real SDK of it, as `pip` chooses. */
const index = process.env.PROCVISION_TEST_INDEX === undefined ? '--stand-in-sdk' : '--index';

type Line = [line: string, code: number, says: RegExp];

/** The first hour of a backend engineer: from the tarball to a station that was taken forward and back. */
const BACKEND: Line[] = [
  ['--version', 0, /^\d+\.\d+\.\d+\n$/],
  ['--help', 0, /quickstart[^]*Exit codes/],
  ['lst', 2, /unknown command 'lst'. Did you mean list\?/],
  ['list', 3, /There is no store at/],
  ['quickstart', 0, /verdict {2}OK[^]*verdict {2}NG[^]*From a zip to a verdict/],
  ['list --root .quickstart/store', 0, /board-check {2}1\.0\.0/],
  ['install .quickstart/board-check-v1.0.0-offline.zip', 0, /board-check 1\.0\.0 is deployed/],
  ['install .quickstart/board-check-v1.0.0-offline.zip', 0, /was deployed already, from these very bytes/],
  ['info .quickstart/board-check-v1.0.0-offline.zip', 0, /procvision[_-]algorithm[_-]sdk 0\.0\.7/],
  ['info board-check 1.0.0 --json', 0, /"active_for": \[\]/],
  ['run BOARD-7 .quickstart/pictures/good-board.png', 3, /neither an active product id/],
  ['activate board-check 1.0.0 BOARD-8', 3, /does not support BOARD-8. Did you mean BOARD-7\?/],
  ['activate board-check 1.0.0', 0, /serves BOARD-7/],
  ['run BOARD-7 .quickstart/pictures/good-board.png', 0, /good-board\.png +OK/],
  [
    'run BOARD-7 .quickstart/pictures/good-board.png .quickstart/pictures/missing-part.png --out annotated --json',
    0,
    /"annotated"/,
  ],
  [
    'run BOARD-7 .quickstart/pictures/god-board.png',
    3,
    /Did you mean \.quickstart\/pictures\/good-board\.png\?/,
  ],
  ['status', 0, /board-check {2}1\.0\.0 +deployed +BOARD-7/],
  ['start --once', 0, /board-check {2}1\.0\.0/],
  ['logs', 0, /activate board-check 1\.0\.0 BOARD-7 ok/],
  ['logs board-check 1.0.0', 0, /the worker is ready/],
  ['verify', 0, /intact/],
];

/** The first hour of a package author: from nothing to a second version on a station, and back. */
const AUTHOR: Line[] = [
  ['init dark-check --id D-1 --id D-2', 0, /algorithm\/main\.py/],
  ['init dark-check', 2, /is not empty/],
  ['pack dark-check', 2, /give --wheels FOLDER, or --index/],
  [`pack dark-check ${index}`, 0, /dark-check-v0\.1\.0-offline\.zip: dark-check 0\.1\.0/],
  ['check dark-check-v0.1.0-offline.zip', 0, /PASS: \d+ passed, 0 failed/],
  ['check dark-check-v0.1.0-offline.zip --json --no-run', 0, /"status": "PASS"/],
  ['install dark-check-v0.1.0-offline.zip --activate', 0, /serves D-1, D-2/],
  ['run D-1 .quickstart/pictures/good-board.png', 0, /good-board\.png +OK/],
  [`run D-1 .quickstart/pictures/good-board.png --params '{"least": 255}'`, 0, /NG +too dark/],
  [`pack dark-check ${index} --out next/dark.zip`, 0, /dark-check 0\.2\.0/],
  ['install next/dark.zip', 0, /dark-check 0\.2\.0 is deployed/],
  ['switch dark-check 0.2.0', 0, /dark-check 0\.2\.0 serves D-1, D-2/],
  ['rollback D-2', 0, /dark-check 0\.1\.0 serves D-2/],
  ['uninstall dark-check 0.2.0', 1, /unsafe_uninstall/],
  ['deactivate D-1', 0, /D-1 is not served/],
  ['uninstall dark-check 0.2.0 --dry-run --also-rollback-targets', 0, /would be removed/],
  ['prune --keep 1 --dry-run', 0, /./],
  ['recover', 0, /Nothing was left behind/],
  ['completion bash', 0, /complete -o default/],
];

/** The second version of the author: the same with another number. */
function raiseVersion(): void {
  for (const file of ['manifest.json', 'algorithm/main.py']) {
    const name = path.join(folder, 'dark-check', file);
    writeFileSync(name, readFileSync(name, 'utf8').replaceAll('0.1.0', '0.2.0'));
  }
}

beforeAll(() => {
  expect(BACKEND.length + AUTHOR.length).toBe(40);
});

test.each([
  ['a backend engineer', BACKEND],
  ['a package author', AUTHOR],
])(
  'the first hour of %s, line by line from the packed tarball',
  (_title, lines) => {
    for (const [line, code, says] of lines) {
      if (line.includes('next/dark.zip') && line.startsWith('pack')) raiseVersion();
      const outcome = run(line);
      expect([line, outcome.code, outcome.stdout + outcome.stderr]).toEqual([
        line,
        code,
        expect.stringMatching(says),
      ]);
    }
  },
  600_000,
);
