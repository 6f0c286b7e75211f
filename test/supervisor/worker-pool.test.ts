import { expect, onTestFinished, test } from 'vitest';
import { WorkerPool } from '../../src/supervisor/pool/worker-pool.js';
import { upkeepOf } from '../support/upkeep.js';

/** A started pool with one worker that has a call. */
async function poolWithCall() {
  const { options } = await upkeepOf();
  const pool = new WorkerPool(options);
  onTestFinished(() => pool.stop('the test is over'));
  await pool.start();
  const lease = await pool.acquire(pool.aside(), { calls: ['board 7', 'board 8'], deadline: Infinity });
  expect(lease.slot.calledBy).toEqual(['board 7', 'board 8']);
  return { pool, lease };
}

test.each([
  ['whose worker was sent none', []],
  ['of which the worker answered none and stands', [undefined, undefined]],
])('calls %s are not those of its next crash', async (_, replies) => {
  const { pool, lease } = await poolWithCall();
  pool.release(lease, ...replies);
  expect(lease.worker.state).toBe('idle');
  expect(lease.slot.calledBy).toEqual([]);
});

test('calls that a worker was lost with stay those of its crash', async () => {
  const { pool, lease } = await poolWithCall();
  void lease.worker.stop('it is to be lost');
  pool.release(lease, undefined);
  expect(lease.slot.calledBy).toEqual(['board 7', 'board 8']);
});
