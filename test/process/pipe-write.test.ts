import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { writeToPipe } from '../../src/process/pipe-write.js';

/** A child that runs this script, with its input as a pipe. */
function child(script: string) {
  const one = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  one.stdin.on('error', () => undefined);
  onTestFinished(() => void one.kill('SIGKILL'));
  return one;
}

/** Reads nothing until it is told to, then prints a digest of all that came. */
const LATE = `process.on('SIGUSR2', () => {
  const hash = require('crypto').createHash('sha256');
  process.stdin.on('data', (chunk) => hash.update(chunk)).on('end', () => console.log(hash.digest('hex')));
});
console.log('up');
setInterval(() => {}, 1000);`;

test.skipIf(process.platform === 'win32')(
  'more than a pipe holds comes whole and in its order, and nobody waits for a reader',
  async () => {
    const one = child(LATE);
    const { stdin, stdout } = one;
    await once(stdout, 'data');
    const hash = createHash('sha256');
    let most = 0;
    for (let n = 0; n < 400; n++) {
      const bytes = Buffer.alloc(1 + ((n * 7_919) % 20_000), n);
      hash.update(bytes);
      const startedAt = performance.now();
      writeToPipe(stdin, bytes);
      most = Math.max(most, performance.now() - startedAt);
    }
    expect(stdin.writableLength).toBeGreaterThan(1_000_000);
    expect(most).toBeLessThan(5_000);
    one.kill('SIGUSR2');
    stdin.end();
    const [digest] = (await once(stdout, 'data')) as [Buffer];
    expect(digest.toString().trim()).toBe(hash.digest('hex'));
  },
);

test.skipIf(process.platform !== 'linux')('the pipe of a child does not make its writer wait', () => {
  const { stdin } = child(LATE);
  const { fd } = (stdin as unknown as { _handle: { fd: number } })._handle;
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
  expect(parseInt(flags ?? '0', 8) & 0o4000).toBe(0o4000); // O_NONBLOCK
});

test('a message to a child that is gone, or to no pipe, is dropped', async () => {
  const one = child('process.exit()');
  one.stdout.resume();
  const closed = once(one, 'close');
  await once(one, 'exit');
  for (let n = 0; n < 3; n++) writeToPipe(one.stdin, Buffer.from('nobody reads this'));
  await closed;
  expect(() => {
    writeToPipe(one.stdin, Buffer.from('nor this'));
    writeToPipe(null, Buffer.from('nor this'));
  }).not.toThrow();
});
