import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { matchInTime } from '../../src/parameters/match-in-time.js';
import { pythonPattern } from '../../src/parameters/python-pattern.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const LOADER = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href;

test.each([
  ['[^](a+)+$]', 'x' + 'a'.repeat(40) + '!'],
  ['(a+)+b', 'a'.repeat(60)],
])(
  'a pattern that takes exponential time on a short text is broken off, however its classes are written: %s',
  (pattern, text) => {
    const expression = pythonPattern(pattern);
    if (!expression) throw new Error('it is a pattern');
    expect(matchInTime(expression, text)).not.toBe(true);
  },
);

test.skipIf(process.platform === 'win32')(
  'a match is not broken off because the machine ran something else: the process is stopped again and again',
  async () => {
    const script = path.join(await temporaryFolder(), 'matching.mts');
    const source = new URL('../../src/parameters/match-in-time.ts', import.meta.url).href;
    await writeFile(
      script,
      `import { matchInTime } from ${JSON.stringify(source)};
let ends = false;
process.on('SIGTERM', () => { ends = true; });
const outcomes = {};
process.stdout.write('begun\\n');
while (!ends) {
  for (let n = 0; n < 200; n++) {
    const outcome = matchInTime(/^(?:(?:a|b)+c)$/u, 'ababababab'.repeat(200) + 'c');
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  process.stdout.write('.');
  await new Promise(setImmediate);
}
process.stdout.write(Object.keys(outcomes).join() + '\\n');
`,
    );
    const child = spawn(process.execPath, ['--import', LOADER, script], {
      env: { ...process.env, TSX_TSCONFIG_PATH: repositoryFile('tsconfig.json') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await once(child.stdout, 'data');
    for (let stop = 0; stop < 8; stop++) {
      child.kill('SIGSTOP');
      await sleep(80); // longer than a match may take
      child.kill('SIGCONT');
      await once(child.stdout, 'data'); // it has matched some more
    }
    child.kill('SIGTERM');
    await once(child.stdout, 'end');
    expect(said.replaceAll('.', '')).toBe('begun\ntrue\n');
  },
);

test('a pattern that takes exponential time is broken off, and one that is simple is not', () => {
  const startedAt = process.cpuUsage();
  expect(matchInTime(/^(?:(a+)+b)$/u, 'a'.repeat(40))).toBeUndefined();
  expect(process.cpuUsage(startedAt).user / 1_000).toBeGreaterThan(30);
  expect(matchInTime(/^(?:[A-Z]+\d*)$/u, 'BOARD7')).toBe(true);
  expect(matchInTime(/^(?:[A-Z]+\d*)$/u, 'board7')).toBe(false);
  expect(matchInTime(/^(?:[A-Z|(]+\d*)$/u, `${'A'.repeat(10_000)}7`)).toBe(true);
});
