import { describe, expect, test } from 'vitest';
import { parsePythonJson } from '../../src/worker/json.js';
import { readLogLine, LogParser } from '../../src/worker/log-parser.js';
import { readMessage } from '../../src/worker/messages.js';
import type { WorkerLog } from '../../src/worker/types.js';

describe('JSON as Python writes it', () => {
  test('NaN and the infinities are null, with their paths', () => {
    expect(parsePythonJson('{"a": NaN, "b": [1, -Infinity, {"c": Infinity}], "d": "NaN"}')).toEqual({
      value: { a: null, b: [1, null, { c: null }], d: 'NaN' },
      nonFinite: ['a', 'b.1', 'b.2.c'],
      bigIntegers: [],
    });
  });

  test('a string that holds the words, quotes and backslashes is left alone', () => {
    expect(parsePythonJson(String.raw`{"a": NaN, "s": "say \"NaN\" \\", "NaN": 1}`).value).toEqual({
      a: null,
      s: 'say "NaN" \\',
      NaN: 1,
    });
  });

  test('a number that is not finite is found beside a string as long as a frame may be', () => {
    const text = 'x'.repeat(2 ** 24);
    const { value, nonFinite } = parsePythonJson(`{"text": "${text}", "score": NaN}`);
    expect((value as { text: string }).text).toHaveLength(text.length);
    expect(nonFinite).toEqual(['score']);
  });

  test.each([
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['1e22', 1e22],
    ['12345678901234567.5', Number('12345678901234567.5')],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
    ['0.1234567890123456789', Number('0.1234567890123456789')],
    ['5e-400', 0],
  ])('%s is the number it is', (text, number) => {
    expect(parsePythonJson(`{"n": [${text}]}`)).toEqual({
      value: { n: [number] },
      nonFinite: [],
      bigIntegers: [],
    });
  });

  test.each([
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '1700000000000000001',
    `1${'0'.repeat(300)}`,
  ])('the whole number %s is given as its digits, with its path', (text) => {
    expect(parsePythonJson(`{"a": {"n":${text}}, "t": "id ${text}, 9007199254740993"}`)).toEqual({
      value: { a: { n: text }, t: `id ${text}, 9007199254740993` },
      nonFinite: [],
      bigIntegers: ['a.n'],
    });
  });

  test.each([`1${'0'.repeat(400)}`, '1e400', '-1.5E+999', 'NaN', '-Infinity'])(
    '%s overflows a double: null, with its path',
    (text) => {
      expect(parsePythonJson(`{"a": [0, ${text}]}`)).toEqual({
        value: { a: [0, null] },
        nonFinite: ['a.1'],
        bigIntegers: [],
      });
    },
  );

  test.each([['{"n": 01234567890123456789}'], ['{"n": 12345678901234567 8}'], ['[1234567890123456789']])(
    '%s is still no JSON',
    (text) => {
      expect(() => parsePythonJson(text)).toThrow(SyntaxError);
    },
  );

  test.each(['', '{', '{"a": nan}', 'NaNNaN', '[1,]'])('%j is still no JSON', (text) => {
    expect(() => parsePythonJson(text)).toThrow(SyntaxError);
  });
});

describe('a frame that is no message', () => {
  test.each([
    ['[1]', /not a JSON object/],
    ['"text"', /not a JSON object/],
    ['{"type": "progress"}', /unknown type progress/],
    ['{"request_id": "1"}', /unknown type undefined/],
    ['{"type": "result", "status": "OK"}', /without a request_id/],
    ['{broken', /not JSON/],
  ])('%s is a fault with its reason', (body, message) => {
    const read = readMessage(Buffer.from(body));
    expect(read).toMatchObject({ type: 'fault', message: expect.stringMatching(message) as string });
  });
});

test('an error keeps the number it was sent with, and a null request id is none', () => {
  expect(
    readMessage(Buffer.from('{"type":"error","request_id":null,"message":"m","error_code":1004}')),
  ).toMatchObject({
    type: 'error',
    requestId: undefined,
    errorCode: '1004',
  });
});

describe('a line of stderr', () => {
  test('that is a JSON object is a structured log', () => {
    expect(readLogLine('{"level":"error","timestamp_ms":5,"message":"m","code":7}')).toEqual({
      level: 'error',
      timestampMs: 5,
      message: 'm',
      fields: { code: 7 },
      structured: true,
    });
  });

  test.each(['{not json', '{"level":"info"}', 'Traceback (most recent call last):', '[1]'])(
    '%j is text',
    (line) => {
      expect(readLogLine(line)).toMatchObject({ message: line, structured: false, level: 'info' });
    },
  );
});

describe('a log stream', () => {
  function parser(bounds = { maxLineLength: 20, maxLinesPerSecond: 3, keptLines: 2 }) {
    const logs: WorkerLog[] = [];
    return { logs, parser: new LogParser((log) => logs.push(log), bounds) };
  }

  test('is cut into lines wherever the bytes are cut, in UTF-8', () => {
    const { logs, parser: target } = parser();
    for (const byte of Buffer.from('grün\r\nzwei\n\ndrei')) target.push(Buffer.of(byte));
    target.end();
    expect(logs.map(({ message }) => message)).toEqual(['grün', 'zwei', 'drei']);
  });

  test('cuts an over-long line, and keeps no more of it than that', () => {
    const { logs, parser: target } = parser();
    target.push(Buffer.from('x'.repeat(1000)));
    target.push(Buffer.from('x'.repeat(1000) + '\nnext\n'));
    expect(logs.map(({ message }) => message)).toEqual(['x'.repeat(20) + '… (cut)', 'next']);
  });

  test('thins out a flood, counts what was left out, and keeps the last lines of all', () => {
    const { logs, parser: target } = parser();
    target.push(Buffer.from('1\n2\n3\n4\n5\n6\n'));
    target.end();
    expect(logs.map(({ message, dropped }) => [message, dropped])).toEqual([
      ['1', undefined],
      ['2', undefined],
      ['3', undefined],
      ['3 more lines were left out', 3],
    ]);
    expect(target.lastLines).toEqual(['5', '6']);
  });
});
