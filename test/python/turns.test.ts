import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../../src/python/turns.js';

test('of three that ask at once each has its turn when the one before gives it up, once or twice', async () => {
  const turns = new Turns();
  const order: string[] = [];
  let inside = 0;
  const work = async (name: string) => {
    const giveUp = await turns.take();
    order.push(name);
    expect(++inside).toBe(1);
    await setImmediate();
    inside--;
    giveUp();
    giveUp();
  };
  await Promise.all(['first', 'second', 'third'].map(work));
  expect(order).toEqual(['first', 'second', 'third']);
});
