import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { listenWith, serveHttpRunner } from '../support/http-runner.js';

const LINE = '\r\n';
const head = (first: string, ...headers: string[]) => [first, ...headers, '', ''].join(LINE);
const HOST = 'Host: station';
const JSON_TYPE = 'Content-Type: application/json';
const RAW = ['Content-Type: application/octet-stream', 'X-Image-Width: 2', 'X-Image-Height: 2'];
const INSPECT = 'POST /inspections/A01 HTTP/1.1';
const DEACTIVATE = 'POST /algorithms/deactivate HTTP/1.1';
const LIST = 'GET /algorithms HTTP/1.1';
const body = '{"pids":["nobody"]}';
const length = `Content-Length: ${body.length}`;
const CLOSE = 'Connection: close';
const chunked = 'Transfer-Encoding: chunked';

const withHeaders = (count: number) =>
  head(LIST, HOST, CLOSE, ...Array.from({ length: count }, (_, n) => `h${n}: 1`));

/**
 * What a socket brings back, until the server closes it: the statuses of its answers. `end` also closes this side after the
 * request.
 */
async function talk(port: number, text: string, end = false): Promise<{ statuses: number[]; text: string }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined); // a reset is an end, too
  socket.on('end', () => socket.end());
  socket.write(Buffer.from(text, 'latin1'));
  if (end) socket.end();
  await once(socket, 'close').catch(() => undefined);
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  return { statuses, text: answer };
}

async function open() {
  return serveHttpRunner({ uploadIdleMs: 300 });
}

/** Requests whose connection the server ends by itself, and the statuses before it. */
const ODD: [title: string, text: string, statuses: number[]][] = [
  ['no HTTP at all', `hello${LINE}${LINE}`, [400]],
  ['a version of HTTP that there is not', head('GET / HTTP/9.9', HOST), [400]],
  ['HTTP/1.0 without a host', head('GET /algorithms HTTP/1.0'), [200]],
  ['HTTP/1.0 with a body', head('POST /algorithms/deactivate HTTP/1.0', JSON_TYPE, length) + body, [404]],
  ['HTTP/1.1 without a host', head(LIST, CLOSE), [400]],
  ['two hosts', head(LIST, HOST, 'Host: other', CLOSE), [400]],
  ['an empty host', head(LIST, 'Host:', CLOSE), [200]],
  ['a host with a path', head(LIST, 'Host: station/x', CLOSE), [400]],
  ['a host with a user', head(LIST, 'Host: a@station', CLOSE), [400]],
  ['a target without a slash', head('GET algorithms HTTP/1.1', HOST, CLOSE), [400]],
  ['a target that is whole', head('GET http://station/algorithms HTTP/1.1', HOST, CLOSE), [200]],
  ['a target of another host', head('GET http://other/algorithms HTTP/1.1', HOST, CLOSE), [400]],
  ['a target with a fragment', head('GET /algorithms#x HTTP/1.1', HOST, CLOSE), [400]],
  ['a target that goes up', head('GET /x/../algorithms HTTP/1.1', HOST, CLOSE), [400]],
  ['a target that goes up, encoded', head('GET /x/%2e%2e/algorithms HTTP/1.1', HOST, CLOSE), [400]],
  ['a target of a lone percent sign', head('GET /algorithms/% HTTP/1.1', HOST, CLOSE), [400]],
  ['a target that is no UTF-8', head('GET /algorithms/active/%ff HTTP/1.1', HOST, CLOSE), [400]],
  ['OPTIONS of everything', head('OPTIONS * HTTP/1.1', HOST, CLOSE), [400]],
  ['TRACE', head('TRACE /algorithms HTTP/1.1', HOST, CLOSE), [405]],
  ['a method in small letters', head('get /algorithms HTTP/1.1', HOST, CLOSE), [400]],
  ['a method that nobody knows', head('BREW /algorithms HTTP/1.1', HOST, CLOSE), [400]],
  ['PATCH', head('PATCH /algorithms HTTP/1.1', HOST, CLOSE), [405]],
  ['a header without a colon', head(LIST, HOST, 'nothing', CLOSE), [400]],
  ['a header with a blank in its name', head(LIST, HOST, 'a b: c', CLOSE), [400]],
  ['a header with a NUL', head(LIST, HOST, 'a: \0', CLOSE), [400]],
  ['headers of 64 KiB', head(LIST, HOST, `a: ${'x'.repeat(65_536)}`), [431]],
  ['nine hundred headers', withHeaders(900), [200]],
  ['a content-type twice', head(DEACTIVATE, HOST, JSON_TYPE, JSON_TYPE, length, CLOSE) + body, [400]],
  ['an authorization twice', head(LIST, HOST, 'Authorization: a', 'Authorization: b', CLOSE), [400]],
  ['two lengths', head(DEACTIVATE, HOST, JSON_TYPE, length, 'Content-Length: 1', CLOSE) + body, [400]],
  ['a length below zero', head(DEACTIVATE, HOST, JSON_TYPE, 'Content-Length: -1', CLOSE), [400]],
  ['a length and chunks', head(DEACTIVATE, HOST, JSON_TYPE, length, chunked, CLOSE) + body, [400]],
  ['a chunk of a size that is none', `${head(DEACTIVATE, HOST, JSON_TYPE, chunked, CLOSE)}zz${LINE}`, [400]],
  [
    'chunks, the last with a trailer',
    `${head(DEACTIVATE, HOST, JSON_TYPE, chunked, CLOSE)}13;x=y${LINE}${body}${LINE}0${LINE}A: b${LINE}${LINE}`,
    [404],
  ],
  ['a chunk that stops in the middle', `${head(INSPECT, HOST, ...RAW, chunked, CLOSE)}ff${LINE}abc`, [408]],
  [
    'a body that stops in the middle',
    `${head(INSPECT, HOST, ...RAW, 'Content-Length: 12', CLOSE)}abc`,
    [408],
  ],
  [
    'a body that is larger than any',
    head(INSPECT, HOST, ...RAW, 'Content-Length: 99999999999', CLOSE),
    [413],
  ],
  [
    'a body that is larger than any, asked for before it is sent',
    head(INSPECT, HOST, ...RAW, 'Content-Length: 99999999999', 'Expect: 100-continue', CLOSE),
    [100, 413],
  ],
  ['an expectation that nobody knows', head(LIST, HOST, 'Expect: a miracle', CLOSE), [417]],
  ['an upgrade to WebSocket', head(LIST, HOST, 'Connection: Upgrade, close', 'Upgrade: websocket'), [200]],
  ['HTTP/2 without asking', `PRI * HTTP/2.0${LINE}${LINE}SM${LINE}${LINE}`, [400]],
  [
    'three requests at once, the second at fault',
    head(LIST, HOST) + head('GET /nowhere HTTP/1.1', HOST) + head(LIST, HOST, CLOSE),
    [200, 404, 200],
  ],
  [
    'two requests with bodies at once',
    `${head(DEACTIVATE, HOST, JSON_TYPE, length)}${body}${head(DEACTIVATE, HOST, JSON_TYPE, length, CLOSE)}${body}`,
    [404, 404],
  ],
  [
    'a request behind one that is refused before its body',
    `${head('POST /nowhere HTTP/1.1', HOST, JSON_TYPE, length)}${body}${head(LIST, HOST, CLOSE)}`,
    [404, 200],
  ],
];

describe('a socket with', () => {
  test('what is odd is answered or closed, request by request, and the server goes on', async () => {
    const { port, url } = await open();
    // Side by side: some wait for a limit of time.
    const found = await Promise.all(
      ODD.map(async ([title, text]) => ({ title, statuses: (await talk(port, text)).statuses })),
    );
    expect(found).toEqual(ODD.map(([title, , statuses]) => ({ title, statuses })));
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  test('a thousand headers and more is answered as Node does: 200 without the last ones, later versions 431', async () => {
    const { port, url } = await open();
    const bare = await listenWith(() => Promise.resolve(new Response('')));
    const { statuses } = await talk(port, withHeaders(1_000));
    expect(statuses).toEqual((await talk(bare, withHeaders(1_000))).statuses);
    expect([[200], [431]]).toContainEqual(statuses);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  test.each([
    ['before its headers are whole', `${LIST}${LINE}Ho`],
    ['in the middle of a body with a length', `${head(INSPECT, HOST, ...RAW, 'Content-Length: 12')}abc`],
    ['in the middle of a chunk', `${head(INSPECT, HOST, ...RAW, chunked)}ff${LINE}abc`],
    ['after a whole request', head(LIST, HOST)],
  ])('a sender that leaves %s is let go, and nothing is left', async (_title, text) => {
    const { port } = await open();
    const { statuses } = await talk(port, text, true);
    expect(statuses.every((status) => [200, 400, 408].includes(status))).toBe(true);
  });
});

test('an answer that is a problem is one in bytes, whoever made it: the handler’s have their type', async () => {
  const { port } = await open();
  const { text } = await talk(port, head('PATCH /algorithms HTTP/1.1', HOST, CLOSE));
  expect(text).toMatch(/content-type: application\/problem\+json/i);
  expect(text).toMatch(/allow: GET, HEAD/i);
});
