import { expect, test } from 'vitest';
import { phasedSource, startBundled } from '../support/bundled-worker.js';

test.each([
  ['bytes', 'b"x"', 'TypeError'],
  ['a set', '{1}', 'TypeError'],
  ['an object', 'object()', 'TypeError'],
  ['a key that is a tuple', '{(1, 2): 3}', 'TypeError'],
  ['itself', 'loop', 'RecursionError'],
])(
  'a result with %s in it is an error 1009 that says so, and the worker stays',
  async (_title, value, exception) => {
    const { worker } = await startBundled(
      phasedSource(`loop = []\nloop.append(loop)\nreturn ok(value=${value})`),
    );
    for (let call = 0; call < 2; call++) {
      expect(await worker.call({ phase: 'execute' })).toMatchObject({
        status: 'ERROR',
        errorCode: '1009',
        exception,
        isErrorFrame: true,
      });
    }
  },
);

test('a result keeps its numbers, infinities and NaN as null, text of every script, and its own debug', async () => {
  const body = `nan = float("nan")
return ok(rows=[1, 2.5, nan, float("inf"), -float("inf"), (nan, True, None)], deep={"a": {"b": nan}}, text="焊点 \\u2028 \\ud800")`;
  const { worker } = await startBundled(phasedSource(body));
  expect((await worker.call({ phase: 'execute' })).data).toEqual({
    phase: 'execute',
    step_index: 1,
    result_status: 'OK',
    debug: {
      rows: [1, 2.5, null, null, null, [null, true, null]],
      deep: { a: { b: null } },
      text: '焊点 \u2028 ?',
    },
  });
});

test.each([
  ['a plain exception', 'raise ValueError("bad lamp")', 'ValueError', '1009', 'bad lamp'],
  ['a recoverable one', 'raise RecoverableError("again")', 'RecoverableError', '1009', 'again'],
  ['one derived from FatalError', 'raise Broken("gone")', 'FatalError', '1009', 'gone'],
  [
    'one that has run out of GPU memory',
    'raise sdk.GPUOutOfMemoryError("8 GB")',
    'GPUOutOfMemoryError',
    '1009',
    '8 GB',
  ],
  ['an error of the program', 'raise sdk.ProgramError("x")', 'ProgramError', '1009', 'x'],
  ['one with a code', 'error = Broken("m"); error.error_code = 1004; raise error', 'FatalError', '1004', 'm'],
  ['one whose text raises', 'raise Mute()', 'Mute', '1009', 'Mute'],
])(
  '%s is answered with its class, code and text, time and memory',
  async (_title, raising, exception, code, text) => {
    const head = `import procvision_algorithm_sdk as sdk

class Broken(sdk.FatalError): pass

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")
`;
    const { worker } = await startBundled(phasedSource(raising, head));
    const reply = await worker.call({ phase: 'execute' });
    expect(reply).toMatchObject({ status: 'ERROR', exception, errorCode: code, message: text });
    expect(reply.metrics?.algorithmMs).toBeGreaterThanOrEqual(0);
  },
);

test('sessions that nobody named push out none that has a name', async () => {
  const { worker } = await startBundled(phasedSource('return ok(seen=session.get("seen"), id=session.id)'));
  const session = { id: 'board-7', context: {} };
  await worker.call({ phase: 'pre', session });
  for (let n = 0; n < 1_100; n++) {
    const requestId = `host-${n}`;
    await worker.call({ phase: 'pre', session: { id: requestId, context: {} } }, { requestId });
  }
  expect((await worker.call({ phase: 'execute', session })).data.debug).toEqual({ seen: 1, id: 'board-7' });
  const again = { requestId: 'host-7~2' };
  const unnamed = { id: 'host-7', context: {} };
  expect((await worker.call({ phase: 'execute', session: unnamed }, again)).data.debug).toEqual({
    seen: null,
    id: 'host-7',
  });
});
