import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { toNodeListener } from '../../src/http/index.js';
import { listenWith, openHttpRunner } from '../support/http-runner.js';

const BODY = '{"pids":["nobody"]}';
const head = (path: string, length: number, ...more: string[]) =>
  [
    `POST ${path} HTTP/1.1`,
    ...['Host: station', 'Content-Type: application/json', `Content-Length: ${length}`],
    ...['Expect: 100-continue', ...more, '', ''],
  ].join('\r\n');

/** A server that leaves the answer to `Expect: 100-continue` to the listener, or has Node give it. */
async function served({ authorize = true, byNode = false } = {}) {
  const { handler } = await openHttpRunner({ authorize: () => authorize, maxUploadBytes: 1_000 });
  return listenWith(handler, { leavesContinue: !byNode });
}

/** Sends a head; a body is sent when a 100 has come, as a client does that waits without a limit. */
async function ask(port: number, text: string, body: string): Promise<{ statuses: number[]; text: string }> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  let answer = '';
  let isSent = false;
  socket.on('data', (part: string) => {
    answer += part;
    if (isSent || !answer.includes('HTTP/1.1 100')) return;
    isSent = true;
    socket.write(body);
  });
  socket.write(text);
  const statuses = () => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  await expect.poll(() => statuses().filter((status) => status !== 100), { timeout: 10_000 }).toHaveLength(1);
  return { statuses: statuses(), text: answer };
}

test('a client that asks before it sends and may not is refused unasked, and the connection is not used again', async () => {
  const port = await served({ authorize: false });
  const { statuses, text } = await ask(port, head('/algorithms/deactivate', BODY.length), BODY);
  expect(statuses).toEqual([403]);
  expect(text).toMatch(/^connection: close\r$/im);
});

test('a client that may is let send once, by the listener or by Node, and is answered', async () => {
  for (const byNode of [false, true]) {
    const port = await served({ byNode });
    const { statuses } = await ask(port, head('/algorithms/deactivate', BODY.length), BODY);
    expect([byNode, statuses]).toEqual([byNode, [100, 404]]);
  }
});

test.each([
  ['an upload that is too large', '/algorithms/install', 100_000, 413],
  ['a path that there is not', '/nowhere', BODY.length, 404],
])('%s is refused before it is sent', async (_title, path, length, status) => {
  const text = head(path, length).replace('application/json', 'application/zip');
  expect((await ask(await served(), text, BODY)).statuses).toEqual([status]);
});

test('an install that tells its progress lets its package come, although its answer has begun', async () => {
  const text = head('/algorithms/install', 5, 'Accept: text/event-stream').replace('/json', '/zip');
  const port = await served();
  const { statuses, text: answer } = await ask(port, text, 'no zi');
  expect(statuses).toEqual([100, 200]);
  expect(answer).toContain('text/event-stream');
});

test.each([
  [true, [100], 404],
  [false, [], 403],
])('over HTTP/2 a client that may (%s) gets %j, then %d', async (authorize, infos, status) => {
  const { handler } = await openHttpRunner({ authorize: () => authorize });
  const listener = toNodeListener(handler);
  const server = http2.createServer(listener).on('checkContinue', listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const stream = client.request({
    ...{ ':method': 'POST', ':path': '/algorithms/deactivate', 'content-type': 'application/json' },
    expect: '100-continue',
  });
  const told: number[] = [];
  stream.on('continue', () => {
    told.push(100);
    stream.end(BODY);
  });
  const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
  expect([told, headers[':status']]).toEqual([infos, status]);
});
