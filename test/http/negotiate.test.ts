import { expect, test } from 'vitest';
import { negotiate } from '../../src/http/negotiate.js';

const offered = ['application/json', 'text/event-stream'] as const;

test.each([
  [null, 'application/json'],
  ['', 'application/json'],
  ['*/*', 'application/json'],
  ['application/*', 'application/json'],
  ['text/*', 'text/event-stream'],
  ['text/event-stream', 'text/event-stream'],
  ['Text/Event-Stream ; charset=utf-8', 'text/event-stream'],
  ['text/event-stream, */*', 'text/event-stream'],
  ['application/json, text/event-stream', 'application/json'],
  ['text/event-stream, application/json', 'text/event-stream'],
  ['text/event-stream;q=0.5, application/json;q=0.9', 'application/json'],
  ['text/event-stream;q=0, */*', 'application/json'],
  ['text/html', undefined],
  ['application/json;q=0', undefined],
  ['application/json;q=x', undefined],
  ['*/*;q=0', undefined],
  ['nonsense', 'application/json'],
])('of JSON and events, Accept: %s takes %s', (accept, expected) => {
  expect(negotiate(accept, offered)).toBe(expected);
});
