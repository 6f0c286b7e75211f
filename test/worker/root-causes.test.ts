import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { LogParser } from '../../src/worker/log-parser.js';
import type { WorkerLog } from '../../src/worker/types.js';
import { obeyingWorker } from '../support/obeying-worker.js';

const HEAD = `class Dark(ValueError): pass
def look():
    raise KeyError("lamp")
def boom():
    try:
        look()
    except KeyError as cause:
        raise Dark("no light") from cause
`;
const KINDS = [
  ['sdk', 'phased'],
  ['sdk', 'execute-only'],
  ['bundled', 'phased'],
  ['bundled', 'execute-only'],
] as const;

describe.each(KINDS)('the %s worker, %s', (flavour, generation) => {
  test('an exception is answered with its class, text, place and traceback', async () => {
    const { worker, run } = await obeyingWorker(flavour, generation, { head: HEAD });
    const { status, message, errorCode, raised } = await run('boom()');
    expect({ status, message, errorCode }).toEqual({
      status: 'ERROR',
      message: 'no light',
      errorCode: '1009',
    });
    const file = path.join(worker.spec.root, 'main.py');
    expect(raised).toMatchObject({ type: 'Dark', message: 'no light', file, line: 8 });
    expect(raised?.traceback).toMatch(
      /^Traceback \(most recent call last\):\n[^]*KeyError: 'lamp'\n[^]*The above exception was the direct cause[^]*no light$/,
    );
    expect(raised?.traceback).not.toContain('adapter');
    expect((await run('debug["n"] = 1')).raised).toBeUndefined();
  });

  test('an exception without a text is answered with its class', async () => {
    const { run } = await obeyingWorker(flavour, generation, { head: HEAD });
    const { status, message, raised } = await run('raise MemoryError');
    expect({ status, message, type: raised?.type }).toEqual({
      ...{ status: 'ERROR', message: 'MemoryError', type: 'MemoryError' },
    });
  });

  test('a traceback on stderr is one log of level error, and tells the call', async () => {
    const { run, logs } = await obeyingWorker(flavour, generation, { head: HEAD });
    await run(
      'import traceback\ntry: boom()\nexcept Dark: traceback.print_exc()\nsys.stderr.write("a line\\n")',
    );
    await expect.poll(() => logs.length).toBe(2);
    const [error, line] = logs;
    expect(error).toMatchObject({
      level: 'error',
      requestId: '1',
      exception: { type: 'Dark', message: 'no light' },
    });
    expect(error?.message.split('\n').at(-1)).toBe('main.Dark: no light');
    expect(line).toMatchObject({ level: 'info', message: 'a line' });
  });
});

/** What a parser makes of texts that come one after the other. */
function read(...chunks: (string | Buffer)[]) {
  const logs: WorkerLog[] = [];
  const parser = new LogParser((log) => logs.push(log));
  for (const chunk of chunks) parser.push(Buffer.from(chunk));
  const { lastLines } = parser;
  parser.end();
  return { logs, messages: logs.map(({ message }) => message), lastLines };
}

const PLAIN = `Traceback (most recent call last):
  File "/a/b.py", line 3, in <module>
    f(1)
    ~^^^
ZeroDivisionError: division by zero`;

describe('a log', () => {
  test.each([
    ['a traceback', PLAIN],
    [
      'one that came of another',
      `${PLAIN}\n\nDuring handling of the above exception, another exception occurred:\n\n${PLAIN}`,
    ],
    ['a text of several lines that are indented', `${PLAIN}\n\tMissing key: "a"\n\tMissing key: "b"`],
    [
      'an exception group',
      `  + Exception Group Traceback (most recent call last):
  |   File "/a/b.py", line 3, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | ValueError: 2
    +------------------------------------`,
    ],
  ])(
    '%s is one event of level error, wherever it is cut, with what is around it apart',
    (_title, traceback) => {
      const text = `before\n${traceback}\nafter\n`;
      const expected = ['before', traceback.replaceAll('\n\n', '\n'), 'after'];
      expect(read(text).messages).toEqual(expected);
      for (const cut of [3, 20, 50, 100, text.length - 8]) {
        expect(read(text.slice(0, cut), text.slice(cut)).messages).toEqual(expected);
      }
      expect(read(text).logs.map(({ level }) => level)).toEqual(['info', 'error', 'info']);
    },
  );

  test('two tracebacks one after the other are two events', () => {
    const { logs } = read(`${PLAIN}\n${PLAIN}\n`);
    expect(logs.map(({ exception }) => exception)).toEqual([
      { type: 'ZeroDivisionError', message: 'division by zero', file: '/a/b.py', line: 3, traceback: PLAIN },
      { type: 'ZeroDivisionError', message: 'division by zero', file: '/a/b.py', line: 3, traceback: PLAIN },
    ]);
  });

  test('a carriage return ends a line: what comes behind a progress bar is not cut away', () => {
    const bar = Array.from({ length: 400 }, (_, n) => `\r${n / 4}% ${'#'.repeat(40)}`).join('');
    const { messages, lastLines } = read(`${bar}\rRuntimeError: no weights\r\n`);
    expect(messages.at(-1)).toBe('RuntimeError: no weights');
    expect(lastLines.at(-1)).toBe('RuntimeError: no weights');
  });

  test('a line that is printed in pieces is one event', () => {
    expect(read('loss', ' ', '0.1', '\n').messages).toEqual(['loss 0.1']);
  });

  test.each([
    ['lines', 'warning: something\n'],
    ['short lines', 'a\n'],
    ['one line without an end', 'x'.repeat(4096)],
    ['zero bytes', '\0'.repeat(4096)],
  ])('of a flood of %s the last 8 KB are kept, and what was left out is told', (_title, noise) => {
    const chunk = Buffer.alloc(1 << 16, noise);
    const end = '\nthe cause\nof it all\n';
    const { logs, lastLines } = read(...Array<Buffer>(160).fill(chunk), end);
    expect(lastLines.slice(-2)).toEqual(['the cause', 'of it all']);
    expect(logs.length).toBeLessThanOrEqual(502);
    expect(logs.reduce((sum, { droppedBytes = 0 }) => sum + droppedBytes, 0)).toBeGreaterThan(9 << 20);
  });
});
