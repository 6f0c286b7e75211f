import { expect, test, vi } from 'vitest';
import { SafeEmitter } from '../../src/emitter.js';

interface Events {
  tick: [count: number];
}

class Clock extends SafeEmitter<Events> {}

test('a listener that throws is reported, and the listeners after it are called', () => {
  const clock = new Clock();
  const failures: unknown[] = [];
  const second = vi.fn();
  clock.on('listenerError', (error, event) => failures.push([error, event]));
  clock.on('tick', () => {
    throw new Error('mine');
  });
  clock.on('tick', second);
  expect(clock.emit('tick', 1)).toBe(true);
  expect(failures).toEqual([[new Error('mine'), 'tick']]);
  expect(second).toHaveBeenCalledWith(1);
});

test('a listener that rejects is reported, not left unhandled', async () => {
  const clock = new Clock();
  const failure = new Promise((resolve) => clock.on('listenerError', resolve));
  clock.on('tick', () => Promise.reject(new Error('later')) as never);
  clock.emit('tick', 1);
  await expect(failure).resolves.toEqual(new Error('later'));
});

test('a listenerError listener that throws ends there', () => {
  const clock = new Clock();
  clock.on('listenerError', () => {
    throw new Error('again');
  });
  clock.on('tick', () => {
    throw new Error('mine');
  });
  expect(() => clock.emit('tick', 1)).not.toThrow();
});

test('one function on two events is reported under the event that fired', () => {
  const clock = new SafeEmitter<{ a: []; b: [] }>();
  const events: string[] = [];
  const broken = () => {
    throw new Error('x');
  };
  clock.on('listenerError', (_error, event) => events.push(event));
  clock.on('a', broken);
  clock.on('b', broken);
  clock.emit('b');
  clock.emit('a');
  expect(events).toEqual(['b', 'a']);
});

test('off removes a listener by the function that was given, once fires once', () => {
  const clock = new Clock();
  const always = vi.fn();
  const first = vi.fn();
  clock.on('tick', always);
  clock.once('tick', first);
  clock.emit('tick', 1);
  clock.off('tick', always);
  clock.emit('tick', 2);
  expect(always.mock.calls).toEqual([[1]]);
  expect(first.mock.calls).toEqual([[1]]);
  expect(clock.listenerCount('tick')).toBe(0);
});

test('listeners() gives back the functions that were registered', () => {
  const clock = new Clock();
  const listener = vi.fn();
  clock.on('tick', listener);
  expect(clock.listeners('tick')).toEqual([listener]);
});

test('once fires once when a listener before it emits the same event again', () => {
  const clock = new Clock();
  const first = vi.fn();
  clock.on('tick', (count) => {
    if (count < 3) clock.emit('tick', count + 1);
  });
  clock.once('tick', first);
  clock.emit('tick', 1);
  expect(first).toHaveBeenCalledTimes(1);
  expect(clock.listenerCount('tick')).toBe(1);
});

test('off removes a listener that was registered by once, as often as it was', () => {
  const clock = new Clock();
  const first = vi.fn();
  clock.once('tick', first);
  clock.once('tick', first);
  clock.off('tick', first);
  clock.emit('tick', 1);
  expect(first).not.toHaveBeenCalled();
});
