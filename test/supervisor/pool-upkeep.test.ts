import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { gates, upkeepOf } from '../support/upkeep.js';

const times = (told: readonly string[], line: string) => told.filter((one) => one === line).length;

describe('start()', () => {
  test('stands as many workers as asked for, each at its place, tells of each, and makes no spare unasked', async () => {
    const starting: boolean[] = [];
    const { upkeep, told, state, clock } = await upkeepOf({
      workers: 2,
      seated: ({ isStarting }) => starting.push(isStarting),
    });
    const started = upkeep.start();
    expect(upkeep.slots.map(({ isStarting }) => isStarting)).toEqual([true, true]);
    await started;
    expect([...told].sort()).toEqual(['ready 0', 'ready 1', 'seated 0', 'seated 1']);
    expect(upkeep.slots).toMatchObject([
      { index: 0, isStarting: false, readyAt: 0, worker: { state: 'idle' } },
      { index: 1, isStarting: false, readyAt: 0, worker: { state: 'idle' } },
    ]);
    expect(state.changes).toBe(4); // begun and ended, at each place
    expect(starting).toEqual([false, false]); // who is told of a ready worker sees it stand
    expect([upkeep.spares, clock.pending]).toEqual([0, 2]);
    upkeep.checkCircuit();
  });

  test('of what cannot start rejects with the reason and opens no circuit before its bound', async () => {
    const { upkeep, told, at, state } = await upkeepOf({
      start: () => {
        throw new Error('no licence');
      },
    });
    await expect(upkeep.start()).rejects.toMatchObject({ code: 'start_failed' });
    expect(told).toEqual(['exit 0 start_failed']);
    expect(state.changes).toBe(3); // begun, exited, ended
    expect(at(0)).toMatchObject({ isStarting: false, lastError: { code: 'start_failed' } });
    upkeep.checkCircuit();
  });

  test('that opens the circuit tells so, is refused until the cool-down is over, and stands one worker then', async () => {
    const licence = { isThere: false };
    const { upkeep, told, at, clock, until, state } = await upkeepOf({
      workers: 2,
      policy: { maxCrashes: 2, warmSpares: 1 },
      start: () => {
        if (!licence.isThere) throw new Error('no licence');
      },
    });
    await expect(upkeep.start()).rejects.toMatchObject({ code: 'start_failed' });
    await until('circuitOpen crashes 30000 start_failed');
    const refusal = { code: 'circuit_open', message: expect.stringContaining('no licence') as string };
    expect(() => upkeep.checkCircuit()).toThrow(expect.objectContaining(refusal) as Error);
    licence.isThere = true;
    clock.advance(29_999);
    await expect(upkeep.start()).rejects.toMatchObject(refusal);
    clock.advance(1);
    await upkeep.start();
    expect([at(0).worker?.state, at(1).worker]).toEqual(['idle', undefined]);
    expect(told.at(-1)).toBe('seated 0');
    expect(state.made).toBe(3); // two before, and no spare yet
    upkeep.proven(at(0));
    expect(told.at(-1)).toBe('circuitClosed');
    await until('seated 1');
    await until('ready undefined');
    expect(upkeep.spares).toBe(1);
  });
});

test('a start that opens the circuit changes what status() shows once more', async () => {
  const { upkeep, state, until } = await upkeepOf({
    policy: { maxCrashes: 1 },
    start: () => {
      throw new Error('no licence');
    },
  });
  await expect(upkeep.start()).rejects.toMatchObject({ code: 'start_failed' });
  await until('circuitOpen crashes 30000 start_failed');
  expect(state.changes).toBe(4); // begun, exited, ended, opened
});

describe('a worker that crashes', () => {
  test('is replaced at once, and the next time after the pause that the policy says', async () => {
    const { upkeep, told, at, clock, crash, until, fake } = await upkeepOf({ policy: { backoffMs: 200 } });
    await upkeep.start();
    await crash(0);
    expect(told.at(-1)).toBe('restart 0 1 0 exited');
    await until('seated 0', 2);
    expect(at(0)).toMatchObject({ restarts: 1, lastError: { code: 'worker_exited' } });
    await crash(0);
    expect(told.at(-1)).toBe('restart 0 2 200 exited');
    expect([at(0).isVacant, at(0).isStarting]).toEqual([false, false]);
    clock.advance(199);
    expect(at(0).isStarting).toBe(false);
    clock.advance(1);
    expect([at(0).isStarting, at(0).cancelStart]).toEqual([true, undefined]);
    await until('seated 0', 3);
    expect([fake.processes.length, at(0).restarts]).toEqual([3, 2]);
  });

  test('after it has stood for long enough counts as the first again', async () => {
    const { upkeep, told, at, clock, crash, until } = await upkeepOf();
    await upkeep.start();
    await crash(0);
    await until('seated 0', 2);
    clock.advance(9_999);
    expect(at(0).isProven).toBe(false);
    clock.advance(1);
    expect(at(0).isProven).toBe(true);
    await crash(0);
    expect(told.at(-1)).toBe('restart 0 1 0 exited');
    upkeep.proven(at(0));
    expect(at(0).isProven).toBe(false); // nobody stands there
  });

  test.each(['heartbeat_lost', 'protocol_error'])('by %s counts as one that exits', async (code) => {
    const { upkeep, at, until, fake } = await upkeepOf({
      policy: { limits: { heartbeatIntervalMs: 50, heartbeatGraceMs: 200 } },
    });
    await upkeep.start();
    fake.answer('execute', (call) => {
      call.process.write(Buffer.from('\0\0\0\u0007{broken', 'latin1'));
      return call.hang();
    });
    const fail = () => {
      if (code === 'heartbeat_lost') fake.processes.at(-1)?.hang();
      else
        at(0)
          .worker?.call({ phase: 'execute', stepIndex: 1, productId: 'A' })
          .catch(() => undefined);
    };
    fail();
    await until(`exit 0 ${code}`);
    await until('seated 0', 2);
    fail();
    await until(`exit 0 ${code}`, 2);
    expect(at(0)).toMatchObject({ restarts: 2, isStarting: false }); // it waits for its pause
  });

  test('leaves its failure as the last one of its place, also when the next is stopped for no fault', async () => {
    const { upkeep, at, crash, until } = await upkeepOf();
    await upkeep.start();
    await crash(0);
    await until('seated 0', 2);
    await at(0).worker?.stop('somebody wished so');
    await until('seated 0', 3);
    expect(at(0).lastError).toMatchObject({ code: 'worker_exited' });
  });

  test('beside one that serves opens no circuit: its place alone waits for the longest pause', async () => {
    const { upkeep, told, at, crash } = await upkeepOf({ workers: 2, policy: { maxCrashes: 1 } });
    await upkeep.start();
    upkeep.proven(at(1));
    await crash(0);
    expect(told.at(-1)).toBe('restart 0 1 10000 exited');
  });

  test('that has itself answered before does not stand for the others', async () => {
    const { upkeep, at, crash, until } = await upkeepOf({ workers: 2, policy: { maxCrashes: 1 } });
    await upkeep.start();
    upkeep.proven(at(0));
    await crash(0);
    await until('circuitOpen crashes 30000 circuit_open');
  });

  test('with a call that has felled another counts once with that', async () => {
    const { upkeep, at, told, crash, until } = await upkeepOf({ policy: { maxCrashes: 2 } });
    await upkeep.start();
    at(0).calledBy = ['board 7'];
    await crash(0);
    await until('seated 0', 2);
    at(0).calledBy = ['board 7'];
    await crash(0);
    expect(told.at(-1)).toBe('restart 0 2 200 exited');
  });
});

test('a worker that was ended, or ran out of its time, is replaced at once each time: it speaks of the call', async () => {
  const { upkeep, told, at, until, fake, clock } = await upkeepOf({
    policy: { maxCrashes: 1, maxRestarts: 1 },
  });
  await upkeep.start();
  await at(0).worker?.stop('somebody wished so');
  await until('restart 0 1 0 somebody wished so');
  await until('seated 0', 2);
  fake.answerOnce('execute', (call) => call.hang());
  const call = at(0).worker?.call({ phase: 'execute', stepIndex: 1, productId: 'A' }, { timeoutMs: 100 });
  const refused = expect(call).rejects.toMatchObject({ code: 'timeout' });
  clock.advance(100);
  await refused;
  await until('seated 0', 3);
  expect(told.filter((one) => one.startsWith('restart'))).toHaveLength(2);
  expect(told.filter((one) => one.startsWith('restart 0 1 0'))).toHaveLength(2);
});

describe('a forked worker', () => {
  const told = async (reason: string, calls: number, isForked = true) => {
    const { upkeep, told: lines, at } = await upkeepOf({ isForked });
    await upkeep.start();
    at(0).callsOfWorker = calls;
    await at(0).worker?.stop(reason);
    return lines.filter((one) => /doubted|renew/.test(one));
  };

  test.each([
    ['timeout', 0, true, ['doubted a forked worker did not answer its first call in time']],
    ['timeout', 1, true, []],
    ['timeout', 0, false, []],
    ['cannot read its pictures', 1, true, ['renew']],
    ['cannot read its pictures', 1, false, []],
    ['recycled', 0, true, []],
  ])('that ends by %j after %i calls (forked: %s) tells its server: %j', async (...row) => {
    const [reason, calls, isForked, lines] = row;
    expect(await told(reason, calls, isForked)).toEqual(lines);
  });
});

/** A circuit that opened while the worker of one of two places was starting. */
async function openedWhileOneStarts() {
  const { start, isShut, open, come } = gates();
  const pool = await upkeepOf({ workers: 2, policy: { maxCrashes: 2 }, start });
  await pool.upkeep.start();
  isShut.now = true;
  await pool.crash(0);
  await come(2);
  await pool.crash(1);
  await pool.until('circuitOpen crashes 30000 circuit_open');
  return { ...pool, open };
}

describe('an open circuit', () => {
  test('ends idle workers and spares, lets a busy one finish its call, and restarts none', async () => {
    const { upkeep, told, at, crash, until, clock } = await upkeepOf({
      workers: 3,
      policy: { maxCrashes: 1, warmSpares: 1 },
    });
    await upkeep.start();
    await until('ready undefined');
    at(1).isBusy = true;
    await crash(0);
    await until('exit 2 circuit open');
    await until('exit undefined circuit open');
    expect(told.filter((one) => /opened|circuitOpen|restart/.test(one))).toEqual([
      'opened circuit_open',
      'circuitOpen crashes 30000 circuit_open',
    ]);
    expect([at(1).worker?.state, upkeep.spares, clock.pending]).toEqual(['idle', 0, 1]);
    upkeep.betweenCalls(at(1));
    await until('exit 1 circuit open');
    expect(times(told, 'restart 1 1 0 circuit open')).toBe(0);
  });

  test('tries one worker after its cool-down, and fills the places and the spares when that is proven', async () => {
    const { upkeep, told, at, crash, until, clock, restarts } = await upkeepOf({
      workers: 2,
      policy: { maxCrashes: 1, warmSpares: 1 },
    });
    await upkeep.start();
    await until('ready undefined');
    await crash(0);
    await until('exit 1 circuit open');
    clock.advance(29_999);
    expect(at(0).isStarting).toBe(false);
    clock.advance(1);
    expect([at(0).isStarting, restarts.state]).toEqual([true, 'half-open']);
    await until('seated 0', 2);
    expect([at(1).isVacant, upkeep.spares, times(told, 'circuitClosed')]).toEqual([true, 0, 0]);
    upkeep.proven(at(0));
    expect(times(told, 'circuitClosed')).toBe(1);
    await until('seated 1', 2);
    await until('ready undefined', 2);
    upkeep.proven(at(1));
    expect(times(told, 'circuitClosed')).toBe(1);
  });

  test('looks again and again for a place while the last worker is on its way out', async () => {
    const { upkeep, at, crash, until, clock, restarts } = await upkeepOf({
      workers: 2,
      policy: { maxCrashes: 1 },
    });
    await upkeep.start();
    at(0).isBusy = true;
    await crash(1);
    clock.advance(30_000);
    expect([restarts.state, clock.pending]).toEqual(['open', 1]);
    at(0).isBusy = false;
    upkeep.betweenCalls(at(0));
    await until('exit 0 circuit open');
    clock.advance(49);
    expect(at(0).isStarting).toBe(false);
    clock.advance(1);
    expect([at(0).isStarting, restarts.state]).toEqual([true, 'half-open']);
    await until('seated 0', 2);
    expect(clock.pending).toBe(1); // that it stands for long enough: nothing is looked for any more
  });

  test('stays open by a probe that cannot start, and is tried again after another cool-down', async () => {
    const licence = { isThere: true };
    const { upkeep, crash, until, clock, restarts, at } = await upkeepOf({
      policy: { maxCrashes: 1 },
      start: () => {
        if (!licence.isThere) throw new Error('no licence');
      },
    });
    await upkeep.start();
    await crash(0);
    licence.isThere = false;
    clock.advance(30_000);
    await until('circuitOpen probation 30000 circuit_open');
    expect(restarts.state).toBe('open');
    licence.isThere = true;
    clock.advance(29_999);
    expect(at(0).isStarting).toBe(false);
    clock.advance(1);
    await until('seated 0', 2);
  });

  test('is told once, also when a worker that was starting when it opened cannot start', async () => {
    const { open, until, at, told } = await openedWhileOneStarts();
    await open(2, new Error('no licence'));
    await until('exit 0 start_failed');
    await expect.poll(() => at(0).isStarting, { interval: 5 }).toBe(false);
    await setImmediate();
    expect([times(told, 'opened circuit_open'), told.at(-1)]).toEqual([1, 'exit 0 start_failed']);
  });

  test('that closes over places that are filled starts nothing, and changes what status() shows', async () => {
    const { upkeep, at, crash, until, clock, state } = await upkeepOf({ policy: { maxCrashes: 1 } });
    await upkeep.start();
    await crash(0);
    await until('circuitOpen crashes 30000 circuit_open');
    clock.advance(30_000);
    await until('seated 0', 2);
    await expect.poll(() => at(0).isStarting, { interval: 5 }).toBe(false);
    const before = { ...state };
    upkeep.proven(at(0));
    expect(state).toEqual({ ...before, changes: before.changes + 1 });
  });

  test('takes no worker that was starting when it opened', async () => {
    const { open, until, at, told } = await openedWhileOneStarts();
    await open(2);
    await until('exit 0 circuit open');
    expect([at(0).worker, times(told, 'seated 0')]).toEqual([undefined, 1]);
  });

  test('that is closed by hand is filled, and looks for no place later; closing a closed one tells nothing', async () => {
    const { upkeep, crash, until, clock, told } = await upkeepOf({ workers: 2, policy: { maxCrashes: 1 } });
    await upkeep.start();
    upkeep.resetCircuit();
    expect(times(told, 'circuitClosed')).toBe(0);
    await crash(0);
    await until('exit 1 circuit open');
    upkeep.resetCircuit();
    expect(times(told, 'circuitClosed')).toBe(1);
    await until('seated 0', 2);
    await until('seated 1', 2);
    expect(clock.pending).toBe(2);
    upkeep.checkCircuit();
  });
});

describe('scale()', () => {
  test('up resolves when workers stand at the new places', async () => {
    const { upkeep, at, told, state } = await upkeepOf();
    await upkeep.start();
    const { changes } = state;
    await upkeep.scale(3);
    expect(upkeep.slots.map(({ index, worker }) => [index, worker?.state])).toEqual([
      [0, 'idle'],
      [1, 'idle'],
      [2, 'idle'],
    ]);
    expect(state.changes - changes).toBe(5);
    expect(times(told, 'seated 0')).toBe(1);
    expect(at(2).isGivenUp).toBe(false);
  });

  test('down ends an idle worker at once, and a busy one after its call; neither is replaced', async () => {
    const { upkeep, at, until, told, clock } = await upkeepOf({ workers: 3 });
    await upkeep.start();
    const busy = at(2);
    busy.isBusy = true;
    await upkeep.scale(1);
    await until('exit 1 scaled down');
    expect([busy.worker?.state, busy.isGivenUp, upkeep.slots.length, clock.pending]).toEqual([
      'idle',
      true,
      1,
      1,
    ]);
    upkeep.betweenCalls(busy);
    await until('exit 2 scaled down');
    expect(told.filter((one) => one.startsWith('restart'))).toEqual([]);
  });

  test('of which a worker cannot start leaves as many places as before, and rejects with the reason', async () => {
    const licence = { isThere: true };
    const { upkeep, fake } = await upkeepOf({
      start: (process) => {
        if (!licence.isThere && process.index === 2) throw new Error('no licence');
      },
    });
    await upkeep.start();
    licence.isThere = false;
    await expect(upkeep.scale(3)).rejects.toMatchObject({ code: 'start_failed' });
    expect(upkeep.slots).toHaveLength(1);
    // One of the two could: it goes again, whichever came first.
    await expect.poll(() => fake.processes.map(({ hasEnded }) => hasEnded)).toEqual([false, true, true]);
  });

  test('of an open circuit makes places alone, which its closing fills', async () => {
    const { upkeep, crash, until, at } = await upkeepOf({ policy: { maxCrashes: 1 } });
    await upkeep.start();
    await crash(0);
    await upkeep.scale(2);
    expect([upkeep.slots.length, at(1).isVacant]).toEqual([2, true]);
    upkeep.resetCircuit();
    await until('seated 1');
  });

  test('down while a worker starts takes it no more', async () => {
    const { start, isShut, open } = gates();
    const { upkeep, until, told } = await upkeepOf({ start });
    await upkeep.start();
    isShut.now = true;
    const up = upkeep.scale(2);
    await upkeep.scale(1);
    await open(1);
    await up;
    await until('exit 1 not needed');
    expect(times(told, 'seated 1')).toBe(0);
  });

  test('down ends a successor that waits for the end of a call', async () => {
    const { upkeep, at, until } = await upkeepOf({ workers: 2, policy: { recycleAfterCalls: 1 } });
    await upkeep.start();
    const slot = at(1);
    upkeep.betweenCalls(slot);
    slot.isBusy = true;
    await expect.poll(() => slot.successor?.state, { interval: 5 }).toBe('idle');
    await upkeep.scale(1);
    expect(slot.successor).toBeUndefined();
    await until('exit 1 scaled down');
    expect(slot.worker?.state).toBe('idle');
    upkeep.betweenCalls(slot);
    await until('exit 1 scaled down', 2);
  });
});

describe('a worker that is due', () => {
  test('is replaced between calls by one successor that is ready before it goes', async () => {
    const { upkeep, at, until, told, fake } = await upkeepOf({ policy: { recycleAfterCalls: 2 } });
    await upkeep.start();
    const first = at(0).worker;
    upkeep.betweenCalls(at(0));
    expect([at(0).isRecycling, at(0).callsOfWorker]).toEqual([false, 1]);
    upkeep.betweenCalls(at(0));
    expect(at(0).isRecycling).toBe(true);
    upkeep.betweenCalls(at(0));
    await until('exit 0 recycled');
    expect(told.slice(2, 5)).toEqual(['recycled 0', 'ready 0', 'seated 0']);
    expect(fake.processes).toHaveLength(2);
    expect(at(0)).toMatchObject({ isRecycling: false, successor: undefined, callsOfWorker: 0, restarts: 0 });
    expect(at(0).worker).not.toBe(first);
  });

  test('and has a call when its successor is ready goes after that call', async () => {
    const { upkeep, at, until } = await upkeepOf({ policy: { recycleAfterCalls: 1 } });
    await upkeep.start();
    const first = at(0).worker;
    upkeep.betweenCalls(at(0));
    at(0).isBusy = true;
    await expect.poll(() => at(0).successor?.state, { interval: 5 }).toBe('idle');
    expect(at(0).worker).toBe(first);
    upkeep.betweenCalls(at(0));
    await until('recycled 0');
    await until('exit 0 recycled');
  });

  test('and loses the successor that waits for its call has another made after the next', async () => {
    const { upkeep, at, until, told } = await upkeepOf({ policy: { recycleAfterCalls: 1 } });
    await upkeep.start();
    const first = at(0).worker;
    upkeep.betweenCalls(at(0));
    at(0).isBusy = true;
    await expect.poll(() => at(0).successor?.state, { interval: 5 }).toBe('idle');
    process.kill(at(0).successor?.processId ?? 0, 'SIGKILL');
    await until('exit 0 worker_exited');
    expect(at(0)).toMatchObject({ successor: undefined, isRecycling: false, worker: { state: 'idle' } });
    expect(at(0).worker).toBe(first);
    at(0).isBusy = false;
    upkeep.betweenCalls(at(0));
    await until('recycled 0');
    expect(told.filter((one) => one.startsWith('restart'))).toEqual([]);
  });

  test('and dies while its successor waits is followed by it at once, which is no restart', async () => {
    const { upkeep, at, crash, told } = await upkeepOf({ policy: { recycleAfterCalls: 1 } });
    await upkeep.start();
    upkeep.betweenCalls(at(0));
    at(0).isBusy = true;
    await expect.poll(() => at(0).successor?.state, { interval: 5 }).toBe('idle');
    const next = at(0).successor;
    await crash(0);
    expect(at(0)).toMatchObject({ successor: undefined, isRecycling: false });
    expect(at(0).worker).toBe(next);
    expect(told.filter((one) => /restart|recycled/.test(one))).toEqual([]);
  });

  test('and dies while its successor starts is followed by it, and by no other', async () => {
    const { start, isShut, open } = gates();
    const { upkeep, at, crash, until, clock, fake } = await upkeepOf({
      policy: { recycleAfterCalls: 1 },
      start,
    });
    await upkeep.start();
    await crash(0);
    await until('seated 0', 2);
    isShut.now = true;
    upkeep.betweenCalls(at(0));
    await crash(0);
    await until('restart 0 2 200 exited');
    await open(2);
    await until('seated 0', 3);
    expect(at(0)).toMatchObject({ cancelStart: undefined, isRecycling: false });
    clock.advance(200);
    expect(at(0).isStarting).toBe(false);
    expect(fake.processes).toHaveLength(3);
  });

  test('and is replaced while another starts for its place leaves that one without a place', async () => {
    const { start, isShut, open, come } = gates();
    const { upkeep, at, crash, until, told } = await upkeepOf({ policy: { recycleAfterCalls: 1 }, start });
    await upkeep.start();
    isShut.now = true;
    upkeep.betweenCalls(at(0));
    await come(1);
    await crash(0);
    await open(1);
    await until('seated 0', 2);
    const { worker } = at(0);
    await open(2);
    await until('exit 0 not needed');
    expect(at(0).worker).toBe(worker);
    expect(times(told, 'seated 0')).toBe(2);
  });

  test('stays where its successor cannot start, and has another made after a pause', async () => {
    const { upkeep, at, until, clock, state } = await upkeepOf({ policy: { recycleAfterCalls: 1 } });
    await upkeep.start();
    state.isBroken = true;
    upkeep.betweenCalls(at(0));
    await until('failure 0 internal');
    state.isBroken = false;
    upkeep.betweenCalls(at(0));
    clock.advance(9_999);
    upkeep.betweenCalls(at(0));
    expect(at(0).isRecycling).toBe(true);
    clock.advance(1);
    expect(at(0).isRecycling).toBe(false);
    upkeep.betweenCalls(at(0));
    await until('recycled 0');
  });

  test('and is given up tells nothing of a successor that cannot start', async () => {
    const { upkeep, at, until, state, told } = await upkeepOf({
      workers: 2,
      policy: { recycleAfterCalls: 1 },
    });
    await upkeep.start();
    const slot = at(1);
    state.isBroken = true;
    upkeep.betweenCalls(slot);
    await upkeep.scale(1);
    await until('exit 1 scaled down');
    expect(told.filter((one) => one.startsWith('failure'))).toEqual([]);
    expect(slot.cancelRecycling).toBeUndefined();
  });
});

describe('a restart that fails', () => {
  test('counts as a crash, and is told where no process could tell of it', async () => {
    const { upkeep, crash, until, state, told, at } = await upkeepOf();
    await upkeep.start();
    state.isBroken = true;
    await crash(0);
    await until('restart 0 2 200 start failed');
    expect(told.slice(-3)).toEqual([
      'restart 0 1 0 exited',
      'failure 0 internal',
      'restart 0 2 200 start failed',
    ]);
    expect(at(0).lastError).toMatchObject({ code: 'internal' });
  });

  test('is told by the exit of its process alone, where there was one', async () => {
    const licence = { isThere: true };
    const { upkeep, crash, until, told } = await upkeepOf({
      start: () => {
        if (!licence.isThere) throw new Error('no licence');
      },
    });
    await upkeep.start();
    licence.isThere = false;
    await crash(0);
    await until('restart 0 2 200 start failed');
    expect(told.slice(-2)).toEqual(['exit 0 start_failed', 'restart 0 2 200 start failed']);
  });

  test('of a place that was given up is told nowhere', async () => {
    const { start, isShut, open, come } = gates();
    const { upkeep, crash, until, told } = await upkeepOf({ workers: 2, start });
    await upkeep.start();
    isShut.now = true;
    await crash(1);
    await come(2);
    await upkeep.scale(1);
    await open(2, new Error('no licence'));
    await until('exit 1 start_failed');
    expect(told.at(-1)).toBe('exit 1 start_failed');
  });
});

describe('a spare', () => {
  test('takes the place of a worker that crashes at once, and another is made', async () => {
    const { upkeep, at, crash, until, told } = await upkeepOf({ policy: { warmSpares: 1 } });
    await upkeep.start();
    await until('ready undefined');
    expect(upkeep.spares).toBe(1);
    await crash(0);
    expect(told.slice(-3)).toEqual(['restart 0 1 0 exited', 'ready 0', 'seated 0']);
    expect(at(0)).toMatchObject({ restarts: 1, worker: { state: 'idle' } });
    await until('ready undefined', 2);
    expect(upkeep.spares).toBe(1);
  });

  test('that dies is followed by another after the longest pause, and no place is touched', async () => {
    const { upkeep, at, until, clock, told, fake } = await upkeepOf({ policy: { warmSpares: 1 } });
    await upkeep.start();
    await until('ready undefined');
    const { worker } = at(0);
    const spare = fake.processes.find(({ processId }) => processId !== worker?.processId);
    await spare?.die();
    await until('exit undefined worker_exited');
    expect([upkeep.spares, at(0).worker === worker]).toEqual([0, true]);
    clock.advance(9_999);
    expect(times(told, 'ready undefined')).toBe(1);
    clock.advance(1);
    await until('ready undefined', 2);
  });

  test('that cannot be made is told of, unless the pool is ending', async () => {
    for (const isHalted of [false, true]) {
      const { upkeep, policy, state, told, fake } = await upkeepOf();
      await upkeep.start();
      state.isBroken = true;
      policy.warmSpares = 1;
      upkeep.policyChanged();
      if (isHalted) upkeep.halt();
      await expect.poll(() => state.refused, { interval: 5 }).toBe(1);
      await setImmediate();
      expect(times(told, 'failure undefined internal')).toBe(isHalted ? 0 : 1);
      expect(fake.processes).toHaveLength(1);
    }
  });

  test('is made when the policy comes to want it, but not for an open circuit', async () => {
    const { upkeep, policy, until, crash, told, state } = await upkeepOf({ policy: { maxCrashes: 1 } });
    await upkeep.start();
    policy.warmSpares = 1;
    upkeep.policyChanged();
    await until('ready undefined');
    await crash(0);
    await until('exit undefined circuit open');
    const { made } = state;
    upkeep.policyChanged();
    expect(state.made).toBe(made);
    upkeep.resetCircuit();
    await until('ready undefined', 2);
    expect(times(told, 'ready undefined')).toBe(2);
    expect(upkeep.spares).toBe(1);
  });
});

describe('halt()', () => {
  test('leaves the workers, ends every wait, and starts nothing any more', async () => {
    const { upkeep, at, clock, crash, told, policy, fake, until, state } = await upkeepOf({ workers: 2 });
    await upkeep.start();
    await crash(0);
    await until('seated 0', 2);
    await crash(0);
    await until('restart 0 2 200 exited');
    upkeep.halt();
    expect(clock.pending).toBe(0);
    clock.advance(60_000);
    const before = [...told];
    const { changes, made } = state;
    await crash(1);
    policy.warmSpares = 1;
    upkeep.policyChanged();
    await upkeep.scale(3);
    expect(state.made).toBe(made);
    expect(told).toEqual([...before, 'exit 1 worker_exited']);
    expect(state.changes - changes).toBe(2);
    expect(upkeep.slots.map(({ isStarting }) => isStarting)).toEqual([false, false, false]);
    expect(fake.processes).toHaveLength(3);
    expect(at(0).cancelStart).toBeUndefined();
  });

  test('ends the wait for another spare', async () => {
    const { upkeep, at, clock, fake, until } = await upkeepOf({ policy: { warmSpares: 1 } });
    await upkeep.start();
    await until('ready undefined');
    await fake.processes.find(({ processId }) => processId !== at(0).worker?.processId)?.die();
    await until('exit undefined worker_exited');
    expect(clock.pending).toBe(2);
    upkeep.halt();
    expect(clock.pending).toBe(0);
  });

  test('ends a worker that becomes ready after it', async () => {
    const { start, isShut, open, come } = gates();
    const { upkeep, crash, until, told } = await upkeepOf({ start });
    await upkeep.start();
    isShut.now = true;
    await crash(0);
    await come(1);
    upkeep.halt();
    await open(1);
    await until('exit 0 stopped');
    expect(times(told, 'seated 0')).toBe(1);
  });

  test('in an open circuit ends its wait, and a circuit that is closed afterwards fills nothing', async () => {
    const { upkeep, at, clock, crash, until, told } = await upkeepOf({ policy: { maxCrashes: 1 } });
    await upkeep.start();
    await crash(0);
    await until('circuitOpen crashes 30000 circuit_open');
    upkeep.halt();
    expect(clock.pending).toBe(0);
    upkeep.resetCircuit();
    expect(told.at(-1)).toBe('circuitClosed');
    expect(at(0).isStarting).toBe(false);
  });

  test('during a restart that fails tells nothing of it', async () => {
    const { start, isShut, open, come } = gates();
    const { upkeep, at, crash, told } = await upkeepOf({ start });
    await upkeep.start();
    isShut.now = true;
    await crash(0);
    await come(1);
    upkeep.halt();
    await open(1, new Error('no licence'));
    await expect.poll(() => at(0).isStarting, { interval: 5 }).toBe(false);
    expect(told.slice(-2)).toEqual(['restart 0 1 0 exited', 'exit 0 start_failed']);
  });
});

test('stop() resolves when the last process is gone, with its reason, and replaces none', async () => {
  const { upkeep, told, fake } = await upkeepOf({ workers: 2 });
  await upkeep.start();
  await upkeep.stop('over');
  expect(told.slice(4).sort()).toEqual(['exit 0 over', 'exit 1 over']);
  await expect.poll(() => fake.processes.map(({ hasEnded }) => hasEnded)).toEqual([true, true]);
});
