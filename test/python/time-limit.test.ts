import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { TimeLimit } from '../../src/python/time-limit.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const fired = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

test('the time fires the signal although nothing but its listener refers to it when garbage is collected', async () => {
  const limit = new TimeLimit(50, new AbortController().signal);
  const end = fired(limit.signal);
  collectGarbage();
  await end;
  expect(limit.hasPassed).toBe(true);
});

test("the caller's signal fires it, and the time that passes afterwards is not what ended it", async () => {
  const caller = new AbortController();
  const limit = new TimeLimit(1, caller.signal);
  caller.abort(new Error('given up'));
  expect(limit.signal.reason).toMatchObject({ message: 'given up' });
  // As long, and begun later: when it is over, so is the first.
  await fired(new TimeLimit(1, undefined).signal);
  expect(limit.hasPassed).toBe(false);
  limit[Symbol.dispose]();
});
