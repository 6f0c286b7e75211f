import { describe, expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { CallLine, type Turn } from '../../src/supervisor/pool/call-line.js';
import { VirtualClock } from '../../src/testing/index.js';

/** Which places will do; any where it is empty. */
type Wish = readonly string[];
type Call = Turn<string, Wish>;

/** A line before some workers: `idle` are the places that are free. */
function lineOf({ capacity = 10, count = 1, idle = [] as string[] } = {}) {
  const clock = new VirtualClock();
  const suits = (place: string, wish: Wish) => wish.length === 0 || wish.includes(place);
  const line = new CallLine<string, Wish>({
    ...{ title: 'pcb 1.0', clock, capacity: () => capacity },
    places: {
      count: () => count,
      idle: () => idle.length,
      find: (wish) => {
        const at = idle.findIndex((place) => suits(place, wish));
        return at === -1 ? undefined : idle.splice(at, 1)[0];
      },
      suits,
    },
  });
  const patience = { deadline: 1_000 };
  const letOn = (turn: Call) => Promise.resolve(line.letOn(turn, patience));
  return {
    ...{ clock, line, idle, letOn },
    enter: (lane = 'A', order = '') => letOn(line.admit(lane, order)),
    /** A place for a call whose image is written. */
    take: (turn: Call, wish: Wish = [], isRetry = false) =>
      Promise.resolve(line.take(turn, wish, patience, isRetry)),
    /** A call that waits for a place and is in nobody's way. */
    aside: (wish: Wish = [], o: { deadline?: number; signal?: AbortSignal; isRetry?: boolean } = {}) =>
      Promise.resolve(line.take(line.aside(), wish, { ...patience, ...o }, o.isRetry ?? false)),
  };
}

/** Which of these are settled well, once everything that can happen at once has happened. */
async function done(entries: Promise<unknown>[]): Promise<boolean[]> {
  const isIn = entries.map(() => false);
  entries.forEach(
    (entry, index) =>
      void entry.then(
        () => (isIn[index] = true),
        () => undefined,
      ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return isIn;
}

describe('to write their images are let on', () => {
  /** Calls of lanes of their own, so that only their number is in their way. */
  const entries = ({ line, letOn }: ReturnType<typeof lineOf>, count: number) => {
    const turns = Array.from({ length: count }, (_, n) => line.admit(`lane ${n}`));
    return { turns, letOns: turns.map(letOn) };
  };

  test('the call at the worker and the next; the others wait for one to leave, and leaving twice makes room once', async () => {
    const all = lineOf();
    const { turns, letOns } = entries(all, 4);
    expect(await done(letOns)).toEqual([true, true, false, false]);
    const [first] = turns as [Call];
    all.line.leave(first);
    all.line.leave(first);
    expect(await done(letOns)).toEqual([true, true, true, false]);
  });

  test('at once a call that takes no room, also when nobody else may', async () => {
    const all = lineOf();
    entries(all, 4);
    const turn = all.line.aside();
    expect(all.line.letOn(turn, { deadline: 1_000 })).toBeUndefined();
    all.line.leave(turn);
    expect(await done([all.take(all.line.aside())])).toEqual([false]); // and no place by that
  });

  test('with three workers six calls', async () => {
    const { letOns } = entries(lineOf({ count: 3 }), 8);
    expect((await done(letOns)).filter(Boolean)).toHaveLength(6);
  });

  test('calls of one order one after the other, each when the image before it is written; another order does not wait', async () => {
    const { line, letOn, take } = lineOf({ count: 4, idle: ['w1'] });
    const turns = ['copied', 'copied', 'leased', 'copied'].map((order) => line.admit('A', order));
    const [first, second] = turns as [Call, Call];
    const letOns = turns.map(letOn);
    expect(await done(letOns)).toEqual([true, false, true, false]);
    expect(await take(first)).toBe('w1');
    expect(await done(letOns)).toEqual([true, true, true, false]);
    void take(second); // there is no place for it; its image is written all the same
    expect(await done(letOns)).toEqual([true, true, true, true]);
  });

  test('none before an earlier call of its order that has still to find its guide, until that one gives up', async () => {
    const { line, letOn } = lineOf();
    const first = line.admit('A');
    const second = letOn(line.admit('A'));
    const other = letOn(line.admit('B'));
    expect(await done([second, other])).toEqual([false, true]);
    line.leave(first);
    expect(await done([second])).toEqual([true]);
  });

  test('lanes in turns: one call of a quiet lane waits for one of a busy lane, not for all of them', async () => {
    const { line, letOn } = lineOf();
    const inside = [line.admit('X'), line.admit('Y')];
    await Promise.all(inside.map(letOn));
    const served: string[] = [];
    const calls = ['A1', 'A2', 'A3', 'A4', 'B1', 'C1'].map((call) => {
      const turn = line.admit(call[0] ?? '', call);
      return letOn(turn).then(() => {
        served.push(call);
        line.leave(turn);
      });
    });
    for (const turn of inside) line.leave(turn);
    await Promise.all(calls);
    expect(served.slice(0, 3).sort()).toEqual(['A1', 'B1', 'C1']);
    expect(served.slice(3)).toEqual(['A2', 'A3', 'A4']);
  });
});

describe('a place goes', () => {
  test('to the calls in the order in which they have written', async () => {
    const { line, aside } = lineOf();
    const served: number[] = [];
    const waits = [1, 2, 3].map((n) => aside().then(() => served.push(n)));
    for (const worker of ['w1', 'w2', 'w3']) expect(line.offer(worker)).toBe(true);
    await Promise.all(waits);
    expect(served).toEqual([1, 2, 3]);
  });

  test('to the first call that it suits, and to nobody where it suits none', async () => {
    const { line, aside } = lineOf();
    const picky = aside(['w2']);
    const easy = aside();
    expect(line.count((wish) => wish.length > 0)).toBe(1);
    expect(line.offer('w1')).toBe(true);
    expect(await easy).toBe('w1');
    expect(line.offer('w1')).toBe(false);
    expect(line.offer('w2')).toBe(true);
    expect(await picky).toBe('w2');
  });

  test('to a call that is tried again before all others', async () => {
    const { line, aside } = lineOf();
    const served: string[] = [];
    const first = aside().then(() => served.push('first'));
    const again = aside([], { isRetry: true }).then(() => served.push('again'));
    line.offer('w');
    line.offer('w');
    await Promise.all([first, again]);
    expect(served).toEqual(['again', 'first']);
  });
});

describe('the line is full', () => {
  test('for one call too many, at once, also while those before it write their images', async () => {
    const { line, clock, enter, letOn, take, idle } = lineOf({ capacity: 2, idle: ['w1'] });
    const first = line.admit('A');
    await letOn(first);
    const others = [enter('B'), enter('C')];
    expect(() => line.admit('D')).toThrow(
      expect.objectContaining({ code: 'queue_full', retryable: true }) as Error,
    );
    await take(first);
    expect([line.size, idle]).toEqual([2, []]);
    expect(() => line.admit('D')).toThrow(expect.objectContaining({ code: 'queue_full' }) as Error);
    expect(clock.now()).toBe(0);
    idle.push('w1');
    line.leave(first);
    expect(await done(others)).toEqual([true, true]);
  });

  test('with a capacity of 0 for all but who finds a free worker', async () => {
    const { line, letOn, take } = lineOf({ capacity: 0, idle: ['w1'] });
    const first = line.admit('A');
    await letOn(first);
    expect(() => line.admit('A')).toThrow(expect.objectContaining({ code: 'queue_full' }) as Error);
    await take(first);
    expect(() => line.admit('A')).toThrow(expect.objectContaining({ code: 'queue_full' }) as Error);
  });

  test('not for a call that is tried again, which counts as waiting', async () => {
    const { line, letOn, take } = lineOf({ capacity: 1, idle: ['w1'] });
    const turn = line.admit('A');
    await letOn(turn);
    await take(turn);
    expect(line.size).toBe(0);
    const again = take(turn, [], true);
    expect(line.size).toBe(1);
    line.offer('w2');
    expect([await again, line.size]).toEqual(['w2', 0]);
    line.leave(turn);
    expect(line.size).toBe(0);
  });
});

describe('the wait of a call', () => {
  test('ends with timeout at its deadline, not before', async () => {
    const { aside, clock } = lineOf();
    clock.advance(400);
    const wait = aside();
    let failed: unknown;
    wait.catch((error: unknown) => (failed = error));
    clock.advance(599);
    await Promise.resolve();
    expect(failed).toBeUndefined();
    clock.advance(1);
    await expect(wait).rejects.toMatchObject({
      code: 'timeout',
      details: { stage: 'queue', timeoutMs: 600 },
    });
  });

  test('ends at its abort, and leaves no timer, listener or place in the line', async () => {
    const { line, aside, clock } = lineOf();
    const controller = new AbortController();
    const wait = aside([], { signal: controller.signal });
    controller.abort();
    await expect(wait).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
    expect(clock.pending).toBe(0);
    expect(line.offer('w')).toBe(false);
    await expect(aside([], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    expect([clock.pending, line.offer('w')]).toEqual([0, false]);
  });

  test('leaves no timer once it has its place', async () => {
    const { line, aside, clock } = lineOf();
    const wait = aside();
    line.offer('w');
    await wait;
    expect(clock.pending).toBe(0);
  });

  test('that is given up leaves its turn to the next', async () => {
    const { line, clock, letOn } = lineOf();
    const [first, second] = [line.admit('X'), line.admit('Y')] as [Call, Call];
    await Promise.all([first, second].map(letOn));
    const controller = new AbortController();
    const given = line.letOn(line.admit('A'), { deadline: 1_000, signal: controller.signal });
    const late = line.letOn(line.admit('A'), { deadline: 5 });
    const next = letOn(line.admit('A'));
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: 'aborted' });
    clock.advance(5);
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    line.leave(first);
    expect(await done([next])).toEqual([true]);
    expect([clock.pending, line.size]).toEqual([0, 2]);
  });

  test('ends by rejectAll with the error given, for a turn and for a place; those that write go on', async () => {
    const { line, letOn, aside, clock } = lineOf();
    const letOns = ['A', 'B', 'C'].map((lane) => letOn(line.admit(lane)));
    const place = aside();
    line.rejectAll(new RunnerError('circuit_open', 'too many crashes'));
    await expect(letOns[2]).rejects.toMatchObject({ code: 'circuit_open' });
    await expect(place).rejects.toMatchObject({ code: 'circuit_open' });
    expect(await done(letOns.slice(0, 2))).toEqual([true, true]);
    expect([clock.pending, line.size]).toEqual([0, 2]);
  });
});
